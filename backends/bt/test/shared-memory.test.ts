// One machine's memory under two VMs, as a move to another backend has it: what is shared, what stays, what is given back.

import assert from "node:assert/strict";
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { VmConfig, VmExit } from "@ringzero/api";
import { BtBackend, BtVm } from "@ringzero/backend-bt";
import { MIB, until } from "./scripted-vm.js";

/** The ROM lies as far from a multiple of 2 MiB as in the guest: it ends at one. */
const MEMFD_BYTES = 2 * MIB;
const config: VmConfig = {
  name: "shared",
  vcpus: 1,
  memory: [
    { at: 0, sizeBytes: MIB },
    { at: 0xffff0000, sizeBytes: 0x10000, readOnly: true },
  ],
  cpuProfile: "x86-64-v2",
  uarts: [{ port: 0x3f8, irq: 4 }],
};

// again: inc word [500h]; mov ax,[500h]; out 80h,ax; mov cx,200; loop $; jmp again
const COUNT = [0xff, 0x06, 0x00, 0x05, 0xa1, 0x00, 0x05, 0xe7, 0x80, 0xb9, 0xc8, 0x00, 0xe2, 0xfe, 0xeb, 0xf0];

function over(fd: number | undefined, seen: number[] = []): Promise<BtVm> {
  const handler = (exit: VmExit) => {
    if (exit.kind === "port-out" && exit.port === 0x80) seen.push(exit.value);
  };
  return BtVm.create({ ...config, ...(fd === undefined ? {} : { memoryFd: fd }) }, handler);
}

/** Mappings of this process with a name. */
function mappingsOf(name: string): number {
  return readFileSync("/proc/self/maps", "latin1").split(name).length - 1;
}

/** The next VM of the machine that `source` runs, with its memory and state; `source` is paused. */
async function successor(source: BtVm, seen: number[]): Promise<BtVm> {
  const target = await over(source.shareMemory(), seen);
  await target.loadState(await source.saveState());
  return target;
}

describe("the memory of a bt machine under a second VM", () => {
  it("is claimed, and a guest goes on in it through twenty engines without losing a count", async () => {
    assert.equal((await new BtBackend().probe()).capabilities.memorySharing, true);
    const seen: number[] = [];
    let vm = await over(undefined, seen);
    vm.memory.write(0x1000, Uint8Array.from(COUNT));
    await vm.vcpus[0]!.setRegisters({ cs: { selector: 0, base: 0n, limit: 0xffff, attributes: 0x9b }, rip: 0x1000n });
    const first = vm.memory.view(0x500, 2);
    const mapped = mappingsOf("ringzero-ram");
    for (let i = 0; i < 20; i += 1) {
      const before = seen.length;
      vm.run();
      await until(() => seen.length > before + 2, "the guest counted on");
      await vm.pause();
      const next = await successor(vm, seen);
      await vm.dispose({ keepMemory: true });
      vm = next;
    }
    assert.deepEqual(
      seen,
      seen.map((_, i) => i + 1),
    );
    assert.equal(first.length, 0, "views of the first VM went with it");
    await until(
      () => mappingsOf("ringzero-ram") <= mapped,
      "the mappings of VMs that are gone were released, without a collection",
    );
    const last = vm.memory.view(0x500, 2);
    assert.equal(last[0]! + 256 * last[1]!, seen.length);
    await vm.dispose();
    assert.deepEqual([...last], [0, 0], "the last one gave the pages back");
  });

  it("stays whole when the second VM is given up", async () => {
    const seen: number[] = [];
    const vm = await over(undefined, seen);
    try {
      vm.memory.write(0x500, Uint8Array.of(7));
      const other = await successor(vm, []);
      await other.dispose({ keepMemory: true });
      assert.deepEqual([...vm.memory.read(0x500, 1)], [7]);
    } finally {
      await vm.dispose();
    }
  });

  it("is a descriptor that is open as long as the VM is", async () => {
    const vm = await over(undefined);
    const fd = vm.shareMemory();
    assert.equal(vm.shareMemory(), fd);
    assert.equal(fstatSync(fd).size, MEMFD_BYTES);
    await vm.dispose();
    assert.throws(() => fstatSync(fd), { code: "EBADF" });
    assert.throws(() => vm.shareMemory(), { code: "VM_NOT_OPEN" });
  });

  it("is refused when the descriptor is no shared memory, or of another size", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ringzero-shared-"));
    const vm = await over(undefined);
    const fd = vm.shareMemory();
    try {
      writeFileSync(join(folder, "file"), new Uint8Array(MEMFD_BYTES));
      const file = openSync(join(folder, "file"), "r+");
      await assert.rejects(over(file), { code: "VM_HOST_FAILURE", message: /seals of the shared memory/ });
      closeSync(file);
      await assert.rejects(over(file), { code: "VM_HOST_FAILURE", message: /fstat of the shared memory/ });
      const smaller = { ...config, memory: config.memory.slice(0, 1), memoryFd: fd };
      await assert.rejects(
        BtVm.create(smaller, () => undefined),
        { code: "VM_HOST_FAILURE", message: /size of the shared memory/ },
      );
      await assert.rejects(over(-1), RangeError);
      await assert.rejects(over(1.5), RangeError);
    } finally {
      await vm.dispose();
      rmSync(folder, { recursive: true });
    }
  });

  it("comes with the console input that the guest has not taken", async () => {
    const vm = await over(undefined);
    try {
      vm.uarts[0]!.write(Buffer.from("0123456789abcdefghij"));
      await vm.saveState(); // the receive FIFO took what it holds, which is part of the state
      const left = Buffer.from(vm.uarts[0]!.reclaim()).toString();
      assert.ok("0123456789abcdefghij".endsWith(left) && left.length >= 4, left);
      assert.equal(vm.uarts[0]!.reclaim().length, 0);
    } finally {
      await vm.dispose();
    }
  });
});

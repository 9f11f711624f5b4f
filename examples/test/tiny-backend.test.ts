// The tiny backend of docs/backends.md against the published suite, in a machine, and with its log of written pages broken.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backendCases, describeBackend, runCases } from "@ringzero/conformance";
import bootSource from "@ringzero/boot";
import { Ringzero } from "@ringzero/core";
import { FAKE_POWER, fakePlatformPlugin, fakePowerPlugin } from "@ringzero/testing";
import tiny, { TinyBackend } from "../tiny-backend/tiny-backend.js";
import type { TinyVm } from "../tiny-backend/tiny-vm.js";

// #region suite
describeBackend("tiny", () => new TinyBackend(), {
  without: {
    strings: "not written yet",
    "protected-mode": "16-bit real mode only",
    "long-mode": "16-bit real mode only",
    paging: "16-bit real mode only",
    interrupts: "not written yet",
    timers: "there are no interrupts yet",
    apic: "there are no interrupts yet",
    uart: "a machine with one is refused",
    exceptions: "what would raise one ends the machine",
    cpuid: "16-bit real mode only",
    msr: "16-bit real mode only",
    fpu: "there is none",
  },
});
// #endregion suite

describe("the tiny backend", () => {
  it("runs a guest in a machine, from the reset vector until it powers off", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ringzero-tiny-"));
    try {
      const rom = new Uint8Array(0x10000);
      // mov cx,1000; xor ax,ax; 1: inc ax; loop 1b; mov [600h],ax; mov dx,500h; out dx,al; hlt
      rom.set([
        0xb9,
        0xe8,
        0x03,
        0x31,
        0xc0,
        0x40,
        0xe2,
        0xfd,
        0xa3,
        0x00,
        0x06,
        0xba,
        FAKE_POWER.off & 0xff,
        FAKE_POWER.off >> 8,
        0xee,
        0xf4,
      ]);
      rom.set([0xe9, 0x0d, 0x00], 0xfff0); // jmp 0
      const image = join(folder, "rom.bin");
      await writeFile(image, rom);
      await using ringzero = new Ringzero({ plugins: [fakePlatformPlugin, fakePowerPlugin, bootSource, tiny], discover: false });
      await using machine = await ringzero.create(
        { platform: "fake-pc", memory: "2MiB", serial: 0, cpuProfile: "real-mode", boot: { kind: "firmware", image } },
        { backend: "tiny", host: "inline" },
      );
      await machine.start();
      assert.deepEqual(await machine.exited, { reason: "powered-off" });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("says which instruction it lacks and where, and ends that machine alone", async () => {
    const config = { name: "lacks", vcpus: 1, memory: [{ at: 0, sizeBytes: 0x10000 }], cpuProfile: "real-mode", uarts: [] };
    const vm = await new TinyBackend().createVm(config, () => undefined);
    vm.memory.write(0x100, Uint8Array.of(0x90, 0xf3, 0xa4)); // nop; rep movsb
    const data = { selector: 0, base: 0n, limit: 0xffff, attributes: 0x93 };
    await vm.vcpus[0]!.setRegisters({ cs: { ...data, attributes: 0x9b }, rip: 0x100n });
    const crash = new Promise<{ reason: string; flightRecorder: string }>((resolve) => vm.on("crashed", resolve));
    vm.run();
    const { reason, flightRecorder } = await crash;
    assert.match(reason, /opcode f3h/);
    assert.equal(flightRecorder, "at 0:101");
    assert.throws(() => vm.run(), { code: "VM_CRASHED" });
    await vm.dispose();
  });

  for (const [what, spoil, found] of [
    ["drops the last page of its log", (vm: TinyVm) => dropLast(vm), ["dirty/complete"]],
    ["drops a page of its log now and then", (vm: TinyVm) => dropFirst(vm), ["dirty/complete", "dirty/running"]],
    ["loses what the guest writes while nothing is tracked", (vm: TinyVm) => loseUntracked(vm), ["remapping/tracked"]],
  ] as const) {
    it(`fails the suite when it ${what}`, async () => {
      class Broken extends TinyBackend {
        override async createVm(...args: Parameters<TinyBackend["createVm"]>): Promise<TinyVm> {
          const vm = await super.createVm(...args);
          spoil(vm);
          return vm;
        }
      }
      for (const id of found) {
        const one = backendCases(() => new Broken(), { patienceMs: 1000 }).find((each) => each.id === id);
        assert.ok(one, id);
        const [result] = await runCases([one]);
        assert.equal(result?.outcome.kind, "failed", id);
      }
    });
  }
});

function dropLast(vm: TinyVm): void {
  const take = vm.takeDirty.bind(vm);
  vm.takeDirty = async () => (await take()).slice(0, -1);
}

function dropFirst(vm: TinyVm): void {
  const take = vm.takeDirty.bind(vm);
  vm.takeDirty = async () => (await take()).map(({ at, sizeBytes }) => ({ at: at + 4096, sizeBytes: sizeBytes - 4096 }));
}

function loseUntracked(vm: TinyVm): void {
  const { store, track } = vm.memory;
  let tracks = true;
  let lost = 0;
  vm.memory.track = (on) => {
    tracks = on;
    track.call(vm.memory, on);
  };
  vm.memory.store = (at, value) => (!tracks && at >= 0x20000 && lost++ === 0 ? true : store.call(vm.memory, at, value));
}

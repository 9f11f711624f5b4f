// A guest of a few instructions at the reset vector, through translator, engine process, mailbox and back: real mode only,
// so that it says whether the whole path stands. Guest programs proper are in native/test/guests.

import assert from "node:assert/strict";
import type { VmConfig } from "@ringzero/api";
import { BtVm } from "@ringzero/backend-bt";
import { MIB, until } from "./scripted-vm.js";

const ROM_AT = 0xffff0000;

/** 1 MiB of RAM at 0 and a 64 KiB ROM below 4 GiB that begins with `code` and jumps there from the reset vector. */
function romMachine(more: Partial<VmConfig> = {}): VmConfig {
  return {
    name: "rom",
    vcpus: 1,
    memory: [
      { at: 0, sizeBytes: MIB },
      { at: ROM_AT, sizeBytes: 0x10000, readOnly: true },
    ],
    cpuProfile: "x86-64-v2",
    uarts: [{ port: 0x3f8, irq: 4 }],
    ...more,
  };
}

function burn(vm: BtVm, code: readonly number[]): void {
  vm.memory.write(ROM_AT, Uint8Array.from(code));
  vm.memory.write(ROM_AT + 0xfff0, Uint8Array.of(0xe9, 0x0d, 0x00)); // jmp 0 (IP wraps at 64 KiB)
}

// mov dx,510h; in ax,dx; mov dx,511h; out dx,ax; inc word [0]; jmp start
const ECHO = [0xba, 0x10, 0x05, 0xed, 0xba, 0x11, 0x05, 0xef, 0xff, 0x06, 0x00, 0x00, 0xeb, 0xf2];

describe("a real-mode guest of the bt backend", () => {
  it("reads a port, writes it to another, and counts in its memory", async () => {
    const echoed: number[] = [];
    let next = 100;
    const vm = await BtVm.create(romMachine(), (exit) => {
      if (exit.kind === "port-in") return next++;
      if (exit.kind === "port-out") echoed.push(exit.value);
      return undefined;
    });
    try {
      burn(vm, ECHO);
      vm.run();
      await until(() => echoed.length >= 5, "five values were echoed");
      await vm.pause();
      assert.deepEqual(echoed.slice(0, 5), [100, 101, 102, 103, 104]);
      const registers = await vm.vcpus[0]!.getRegisters();
      assert.equal(registers.cs.base, BigInt(ROM_AT));
      assert.ok(registers.rip < 14n, `rip is 0x${registers.rip.toString(16)}`);
      const count = vm.memory.view(0, 2);
      assert.ok(count[0]! >= 4);
    } finally {
      await vm.dispose();
    }
  });

  it("starts again at the reset vector after a reset, with its memory kept", async () => {
    let reads = 0;
    const vm = await BtVm.create(romMachine(), () => ++reads);
    try {
      burn(vm, ECHO);
      vm.run();
      await until(() => reads > 4, "the guest ran");
      await vm.pause();
      await vm.reset();
      const registers = await vm.vcpus[0]!.getRegisters();
      assert.equal(registers.rip, 0xfff0n);
      assert.equal(registers.cs.selector, 0xf000);
      assert.equal(registers.cr0, 0x60000010n);
      const before = reads;
      vm.run();
      await until(() => reads > before, "it ran again");
    } finally {
      await vm.dispose();
    }
  });

  it("runs new code when the host rewrites what it is executing", async () => {
    const seen = new Set<number>();
    const vm = await BtVm.create(romMachine(), (exit) => {
      if (exit.kind === "port-out") seen.add(exit.value);
    });
    try {
      // mov al,1; out 80h,al; mov cx,1000; loop $; jmp start
      burn(vm, [0xb0, 0x01, 0xe6, 0x80, 0xb9, 0xe8, 0x03, 0xe2, 0xfe, 0xeb, 0xf5]);
      vm.run();
      await until(() => seen.has(1), "the first version ran");
      vm.memory.write(ROM_AT + 1, Uint8Array.of(2));
      await until(() => seen.has(2), "the second version ran");
      seen.clear();
      await until(() => seen.size > 0, "it went on");
      assert.deepEqual([...seen], [2]);
    } finally {
      await vm.dispose();
    }
  });

  it("prints through the native UART and halts without using the processor", async () => {
    const text = Buffer.from("hello, ring zero\n");
    const vm = await BtVm.create(romMachine(), () => undefined);
    try {
      let said = "";
      vm.on("uart-output", ({ index }) => {
        const bytes = new Uint8Array(100);
        for (let n = vm.uarts[index]!.read(bytes); n > 0; n = vm.uarts[index]!.read(bytes)) {
          said += Buffer.from(bytes.subarray(0, n)).toString();
        }
      });
      // mov dx,3f8h; mov si,100h; cld; next: cs lodsb; test al,al; jz done; out dx,al; jmp next; done: cli; hlt; jmp done
      burn(
        vm,
        [0xba, 0xf8, 0x03, 0xbe, 0x00, 0x01, 0xfc, 0x2e, 0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf7, 0xfa, 0xf4, 0xeb, 0xfc],
      );
      vm.memory.write(ROM_AT + 0x100, text);
      vm.run();
      await until(() => said.length >= text.length, "the text was printed");
      assert.equal(said, text.toString());
      await vm.pause();
    } finally {
      await vm.dispose();
    }
  });

  it("leaves its registers and last blocks in the flight recorder when the engine crashes under it", async () => {
    const vm = await BtVm.create(romMachine({ options: { testCommands: true } }), () => 1);
    const crash = new Promise<string>((resolve) => vm.on("crashed", ({ flightRecorder }) => resolve(flightRecorder)));
    burn(vm, ECHO);
    vm.run();
    await until(() => vm.memory.view(0, 1)[0]! > 3, "the guest ran");
    process.kill(vm.enginePid, "SIGSEGV"); // taken by some thread, as a wild access would be
    const report = await crash;
    assert.match(report, /engine died of SIGSEGV/);
    assert.match(report, /^vcpu0x0 rip=0x[0-9a-f]{1,2} /m);
    assert.match(report, /^block rip=0x0 mode=/m);
    await vm.dispose();
  });

  it("leaves its stored registers in the flight recorder when the engine is killed", async () => {
    const vm = await BtVm.create(romMachine(), () => 0x1234);
    const crash = new Promise<string>((resolve) => vm.on("crashed", ({ flightRecorder }) => resolve(flightRecorder)));
    burn(vm, ECHO);
    vm.run();
    await until(() => vm.memory.view(0, 1)[0]! > 3, "the guest ran");
    process.kill(vm.enginePid, "SIGKILL");
    const report = await crash;
    assert.match(report, /^control {4}last looked \d+ ms before/m);
    assert.match(report, /^stored {5}vcpu0 rax=0x[0-9a-f]+ .* rip=0x[0-9a-f]{1,2} rflags=0x/m);
    await vm.dispose();
  });

  it("that triple-faults is a shutdown exit", async () => {
    const kinds: string[] = [];
    const vm = await BtVm.create(romMachine(), (exit) => {
      kinds.push(exit.kind);
    });
    try {
      burn(vm, [0x0f, 0x01, 0x1e, 0x10, 0x00, 0xcd, 0x03]); // lidt [10h] (a zero limit); int 3
      vm.run();
      await until(() => kinds.length > 0, "the shutdown came");
      assert.deepEqual(kinds, ["shutdown"]);
    } finally {
      await vm.dispose();
    }
  });
});

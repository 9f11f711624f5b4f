// Interrupt lines and messages from the host to a halted and to a spinning guest, in real mode through the 8259.

import assert from "node:assert/strict";
import type { VmConfig } from "@ringzero/api";
import { BtVm } from "@ringzero/backend-bt";
import { MIB, until } from "./scripted-vm.js";

const config: VmConfig = {
  name: "interrupts",
  vcpus: 1,
  memory: [{ at: 0, sizeBytes: MIB }],
  cpuProfile: "x86-64-v2",
  uarts: [],
};

// cli; ds = ss = 0; sp = 7000h; 8259 master: ICW1..4, vectors from 20h, all masked but line 5; vector 25h -> 0000:1100h
const SETUP = [
  0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0x00, 0x70, 0xb0, 0x11, 0xe6, 0x20, 0xb0, 0x20, 0xe6, 0x21, 0xb0, 0x04, 0xe6,
  0x21, 0xb0, 0x01, 0xe6, 0x21, 0xb0, 0xdf, 0xe6, 0x21, 0xc7, 0x06, 0x94, 0x00, 0x00, 0x11, 0xc7, 0x06, 0x96, 0x00, 0x00, 0x00,
];
const WAIT = { halted: [0xfb, 0xf4, 0xeb, 0xfd], spinning: [0xfb, 0xff, 0x06, 0x10, 0x05, 0xeb, 0xfa] }; // sti; hlt | inc word [510h]; jmp
const HANDLER = [0xe6, 0x81, 0xb0, 0x20, 0xe6, 0x20, 0xcf]; // out 81h,al (the device drops its line); EOI; iret

async function guest(wait: readonly number[], acknowledged: (vm: BtVm) => void): Promise<BtVm> {
  const vm: BtVm = await BtVm.create(config, (exit) => {
    if (exit.kind === "port-out" && exit.port === 0x81) acknowledged(vm);
  });
  vm.memory.write(0x1000, Uint8Array.from([...SETUP, ...wait]));
  vm.memory.write(0x1100, Uint8Array.from(HANDLER));
  const cs = { selector: 0, base: 0n, limit: 0xffff, attributes: 0x9b };
  await vm.vcpus[0]!.setRegisters({ cs, rip: 0x1000n });
  vm.run();
  return vm;
}

describe("interrupts from the host to a bt guest", () => {
  for (const how of ["halted", "spinning"] as const) {
    it(`reach a ${how} guest, each once`, async () => {
      let taken = 0;
      const vm = await guest(WAIT[how], (machine) => {
        machine.interrupts.setLine(5, false);
        ++taken;
      });
      try {
        await new Promise((resolve) => setTimeout(resolve, 20));
        for (let i = 1; i <= 100; ++i) {
          vm.interrupts.setLine(5, true);
          await until(() => taken === i, `interrupt ${i} was taken`);
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
        assert.equal(taken, 100);
      } finally {
        await vm.dispose();
      }
    });
  }

  it("wait while the machine is paused", async () => {
    let taken = 0;
    const vm = await guest(WAIT.halted, (machine) => {
      machine.interrupts.setLine(5, false);
      ++taken;
    });
    try {
      await new Promise((resolve) => setTimeout(resolve, 20));
      await vm.pause();
      vm.interrupts.setLine(5, true);
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(taken, 0);
      vm.run();
      await until(() => taken === 1, "the interrupt was taken");
    } finally {
      await vm.dispose();
    }
  });

  it("are refused on lines and addresses that do not exist", async () => {
    const vm = await guest(WAIT.halted, () => undefined);
    try {
      assert.throws(() => vm.interrupts.setLine(24, true), RangeError);
      assert.throws(() => vm.interrupts.setLine(-1, true), RangeError);
      assert.throws(() => vm.interrupts.msi(0xfed00000, 0x31), RangeError);
      vm.interrupts.msi(0xfee00000, 0x31); // no APIC is enabled in software: dropped
    } finally {
      await vm.dispose();
    }
  });
});

// Registers that no computation shows: system MSRs, debug registers, control registers; all of them as the contract reports them.

import assert from "node:assert/strict";
import { program } from "../../backend/program.js";
import { DATA_AT } from "../../backend/start-state.js";
import type { MoveCase } from "../move-case.js";

/**
 * MSRs that 64-bit guests live by, each with a value that every processor keeps: of IA32_SYSENTER_ESP and _EIP AMD's have 32 bits, for there
 * SYSENTER is an instruction of legacy mode ("SYSENTER and SYSEXIT MSRs", AMD64 Architecture Programmer's Manual, vol. 2).
 */
const MSRS = [
  [0x174, 0x0018n], // IA32_SYSENTER_CS
  [0x175, 0x1234_5000n],
  [0x176, 0x1234_6000n],
  [0x277, 0x0007_0406_0007_0401n], // IA32_PAT
  [0xc000_0081, 0x0023_0010_0000_0000n], // STAR
  [0xc000_0082, 0x0000_7f00_1234_7000n], // LSTAR
  [0xc000_0084, 0x0004_7700n], // SFMASK
  [0xc000_0100, 0x0000_7f00_1234_8000n], // FS.base
  [0xc000_0101, 0x0000_7f00_1234_9000n], // GS.base
  [0xc000_0102, 0x0000_7f00_1234_a000n], // KERNEL_GS_BASE
] as const;

const each = (text: (index: number, value: bigint, i: number) => string): string =>
  MSRS.map(([index, value], i) => text(index, value, i)).join("\n");

/** Writes all, waits at port 80h until it is elsewhere, and puts what it reads back at 4000h, then DR0 to DR3. */
const SETTING = program(
  64,
  `
${each((index, value) => `mov ecx, ${index}\n mov eax, ${value & 0xffff_ffffn}\n mov edx, ${value >> 32n}\n wrmsr`)}
      mov rax, 0x1111
      mov dr0, rax
      mov rax, 0x7fff12345678
      mov dr3, rax
      mov rax, 0x123456789000
      mov cr2, rax
      mov al, 1
      out 0x80, al
wait: cmp byte ptr [0x5000], 1
      jne wait
${each((index, _, i) => `mov ecx, ${index}\n rdmsr\n mov [0x4000 + ${8 * i}], eax\n mov [0x4004 + ${8 * i}], edx`)}
      mov rax, dr0
      mov [0x4100], rax
      mov rax, dr3
      mov [0x4108], rax
      mov rax, cr2
      mov [0x4110], rax
      done`,
);

export const REGISTER_CASES: readonly MoveCase[] = [
  {
    id: "move/registers",
    title: "MSRs, debug registers and CR2 are what the guest set, and the contract reports the same registers",
    uses: ["guest-code", "long-mode", "msr"],
    async run(stage) {
      const actor = await stage.load(SETTING);
      actor.vm.run();
      await stage.from.until(() => actor.exits.length > 0, "the guest had set them", actor);
      await actor.vm.pause();
      const registers = await actor.vm.vcpus[0]!.getRegisters();
      const there = await stage.move(actor, stage.to);
      assert.deepEqual(await there.vm.vcpus[0]!.getRegisters(), registers);
      there.vm.memory.write(0x5000, Uint8Array.of(1));
      there.vm.run();
      await stage.to.finish(there);
      const read = (at: number, count: number): bigint[] => [
        ...new BigUint64Array(there.vm.memory.read(at, 8 * count).slice().buffer),
      ];
      const found = read(DATA_AT, MSRS.length);
      for (const [i, [index, value]] of MSRS.entries()) {
        assert.equal(found[i], value, `MSR ${index.toString(16)} is 0x${found[i]!.toString(16)}, not 0x${value.toString(16)}`);
      }
      assert.deepEqual(read(0x4100, 3), [0x1111n, 0x7fff12345678n, 0x123456789000n], "DR0, DR3 and CR2");
    },
  },
];

// What firmware leaves set on every processor, for machines that boot a kernel without any: memory types by MTRR. A short program
// runs before the kernel's first instruction; it has the other processors do the same, as firmware does, and leaves
// them halted where the map says "reserved". Kernels that find no MTRRs enabled do without PAT, or say that the firmware is broken.
// Source: Intel SDM volume 3, "Memory Type Range Registers (MTRRs)" and "MP Initialization Protocol Algorithm for MP Systems".

import { type MachineShape, PC_ADDRESSES, type Registers } from "@ringzero/api";
import { GPR } from "./entry-state.js";
import type { MemoryPlan } from "./memory-map.js";

/** Reserved memory between the ACPI and the SMBIOS tables; a page below 1 MiB, where a start-up IPI can send a processor. */
export const PLATFORM_SETUP_AT = 0xef000;

const UNCACHEABLE = 0;
const WRITE_PROTECTED = 5;
const WRITE_BACK = 6;
const MASK_VALID = 0x800;
const ENABLE_ALL = 0xc00; // IA32_MTRR_DEF_TYPE: E and FE
const MTRR_PHYS_BASE_0 = 0x200;
const MTRR_PHYS_MASK_0 = 0x201;
const MTRR_DEF_TYPE = 0x2ff;

const INTERRUPT_COMMAND = 0xfee00300;
const TO_ALL_OTHERS = 0xc0000;
const INIT = 0x4500;
const START_UP = 0x4600;
/** How often to look whether the other processors are through: seconds, in case one never starts. */
const MOST_LOOKS = 0x4000000;

/** Index, bits 0–31, bits 32–63. Devices from 3 GiB to 4 GiB and in the video hole; ROM above it; everything else write-back. */
const MTRRS: readonly (readonly [number, number, number])[] = [
  [MTRR_PHYS_BASE_0, PC_ADDRESSES.lowMemoryEnd | UNCACHEABLE, 0],
  ...[0x250, 0x258].map((index) => fixedRange(index, WRITE_BACK)),
  fixedRange(0x259, UNCACHEABLE),
  ...[0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f].map((index) => fixedRange(index, WRITE_PROTECTED)),
  [MTRR_DEF_TYPE, ENABLE_ALL | WRITE_BACK, 0],
];

function fixedRange(index: number, type: number): readonly [number, number, number] {
  return [index, type * 0x01010101, type * 0x01010101];
}

const u32 = (value: number) => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff];

/**
 * Code that writes the MTRRs. It is the same for 32-bit and 64-bit mode; in real mode `wide` goes before each instruction
 * with 32-bit operands. Spoils EAX, EBX, ECX, EDX.
 */
function writeMtrrs(wide: readonly number[]): number[] {
  const highGib = 0x100000000 - PC_ADDRESSES.lowMemoryEnd;
  return [
    // EDX: bits 32 and up of the widest physical address
    ...[...wide, 0xb8, ...u32(0x80000008), 0x0f, 0xa2], // mov eax, 80000008h; cpuid
    ...[...wide, 0x0f, 0xb6, 0xc8], // movzx ecx, al
    ...[...wide, 0x83, 0xe9, 32], // sub ecx, 32
    ...[...wide, 0xba, ...u32(1)], // mov edx, 1
    ...[...wide, 0xd3, 0xe2], // shl edx, cl
    ...[...wide, 0x83, 0xea, 1], // sub edx, 1
    ...[...wide, 0xb9, ...u32(MTRR_PHYS_MASK_0)],
    ...[...wide, 0xb8, ...u32((-highGib | MASK_VALID) >>> 0)],
    ...[0x0f, 0x30], // wrmsr
    ...MTRRS.flatMap(([index, low, high]) => [
      ...[...wide, 0xb9, ...u32(index)], // mov ecx
      ...[...wide, 0xb8, ...u32(low)], // mov eax
      ...[...wide, 0xba, ...u32(high)], // mov edx
      ...[0x0f, 0x30], // wrmsr
    ]),
  ];
}

/** The other processors come here by a start-up IPI, in real mode with CS at the page. `countAt`: offset of a byte to count. */
function forOthers(countAt: number): number[] {
  return [
    ...writeMtrrs([0x66]),
    ...[0xf0, 0x2e, 0xfe, 0x06, countAt & 0xff, countAt >> 8], // lock inc byte [cs:countAt]
    ...[0xfa, 0xf4, 0xeb, 0xfd], // cli; hlt, again if an NMI ends it
  ];
}

function startOthers(others: number, countAt: number): number[] {
  const command = (value: number) => [0xb8, ...u32(INTERRUPT_COMMAND), 0xc7, 0x00, ...u32(value)]; // mov eax; mov dword [eax]
  return [
    ...command(TO_ALL_OTHERS | INIT),
    ...command(TO_ALL_OTHERS | START_UP | (PLATFORM_SETUP_AT >> 12)),
    ...[0xb9, ...u32(MOST_LOOKS)], // mov ecx
    ...[0xb8, ...u32(PLATFORM_SETUP_AT + countAt)], // mov eax
    ...[0x80, 0x38, others], // look: cmp byte [eax], others
    ...[0x74, 7], // je done
    ...[0xf3, 0x90], // pause
    ...[0x83, 0xe9, 1], // sub ecx, 1
    ...[0x75, 0xf4], // jne look
  ];
}

/**
 * Places the program.
 * @param registers  how the kernel is to be entered: protected or long mode with the first 4 GiB mapped, entry and RAX, RBX, RCX,
 *                   RDX below 4 GiB
 * @returns how to enter the program, which leads there with the same registers
 */
export function throughPlatformSetup(plan: MemoryPlan, shape: MachineShape, registers: Registers): Registers {
  const others = shape.cpus - 1;
  const alone = others === 0 ? [] : forOthers(0);
  const countAt = alone.length;
  const first = others === 0 ? [] : [...forOthers(countAt), 0];
  const body = [...writeMtrrs([]), ...(others === 0 ? [] : startOthers(others, countAt))];
  const low = (index: number) => u32(Number(registers.gpr[index]));
  body.push(0xb8, ...low(GPR.rax), 0xbb, ...low(GPR.rbx), 0xb9, ...low(GPR.rcx), 0xba, ...low(GPR.rdx));
  const startAt = PLATFORM_SETUP_AT + first.length;
  const behind = startAt + body.length + 5;
  body.push(0xe9, ...u32(Number(registers.rip) - behind)); // jmp
  plan.place("the platform set-up code", PLATFORM_SETUP_AT, Uint8Array.from([...first, ...body]));
  return { ...registers, rip: BigInt(startAt) };
}

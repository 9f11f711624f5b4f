// The registers of the tiny processor, and memory operands of 16-bit code. What it executes is in instructions.ts.
// What must stay true: registers that 16-bit code cannot reach are kept as the host set them.

import type { Registers, SegmentRegister } from "@ringzero/api";
import type { Bus } from "./bus.js";

export type Segment = "es" | "cs" | "ss" | "ds" | "fs" | "gs";
/** In the order of their numbers in instructions. */
export const SEGMENTS: readonly Segment[] = ["es", "cs", "ss", "ds", "fs", "gs"];

/** The guest did what this processor cannot: a real one would go on, or raise an exception. */
export class NotImplemented extends Error {
  override readonly name = "NotImplemented";
}

function powerOn(): Registers {
  const data = (selector: number, base: bigint, attributes: number): SegmentRegister => {
    return { selector, base, limit: 0xffff, attributes };
  };
  const zero = data(0, 0n, 0x93);
  return {
    gpr: new Array<bigint>(16).fill(0n),
    rip: 0xfff0n,
    rflags: 2n,
    es: zero,
    cs: data(0xf000, 0xffff0000n, 0x9b),
    ss: zero,
    ds: zero,
    fs: zero,
    gs: zero,
    ldtr: data(0, 0n, 0x82),
    tr: data(0, 0n, 0x8b),
    gdtr: { base: 0n, limit: 0xffff },
    idtr: { base: 0n, limit: 0xffff },
    cr0: 0x6000_0010n,
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    cr8: 0n,
    efer: 0n,
  };
}

export class Processor {
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  readonly low = new Uint32Array(8);
  ip = 0;
  flags = 2;
  /** By HLT: it has no interrupts yet that would wake it. */
  halted = false;
  #others: Registers = powerOn();

  constructor(readonly bus: Bus) {
    this.reset();
  }

  reset(): void {
    this.registers = powerOn();
  }

  get registers(): Registers {
    const gpr = this.#others.gpr.map((value, i) => (i < 8 ? (value & ~0xffff_ffffn) | BigInt(this.low[i]!) : value));
    return { ...this.#others, gpr, rip: BigInt(this.ip), rflags: BigInt(this.flags) };
  }

  set registers(registers: Registers) {
    this.#others = registers;
    for (let i = 0; i < 8; i += 1) this.low[i] = Number(registers.gpr[i]! & 0xffff_ffffn);
    this.ip = Number(registers.rip & 0xffffn);
    this.flags = Number(registers.rflags);
    this.halted = false;
  }

  segment(name: Segment): SegmentRegister {
    return this.#others[name];
  }

  /** As MOV to a segment register does it in real mode: limit and attributes stay. */
  loadSegment(name: Segment, selector: number): void {
    this.#others = { ...this.#others, [name]: { ...this.#others[name], selector, base: BigInt(selector) << 4n } };
  }

  /** A register by its number in an instruction: of one byte AL CL DL BL AH CH DH BH, else 16 or 32 bits of the eight. */
  get(number: number, width: number): number {
    if (width === 4) return this.low[number]!;
    if (width === 2) return this.low[number]! & 0xffff;
    return (this.low[number & 3]! >>> (number >= 4 ? 8 : 0)) & 0xff;
  }

  set(number: number, width: number, value: number): void {
    if (width === 4) this.low[number] = value;
    else if (width === 2) this.low[number] = (this.low[number]! & 0xffff_0000) | (value & 0xffff);
    else {
      const shift = number >= 4 ? 8 : 0;
      this.low[number & 3] = (this.low[number & 3]! & ~(0xff << shift)) | ((value & 0xff) << shift);
    }
  }

  /** Linear address of an operand. @throws NotImplemented where a real processor raises an exception */
  address(segment: Segment, offset: number, width: number): number {
    const { base, limit } = this.segment(segment);
    if (offset + width - 1 > limit) throw new NotImplemented(`an access beyond the limit of ${segment.toUpperCase()}`);
    return Number(base) + offset;
  }

  /** The next bytes of the code. */
  fetch(width: number): number {
    const at = this.address("cs", this.ip, width);
    this.ip = (this.ip + width) & 0xffff;
    let value = 0;
    for (let i = 0; i < width; i += 1) {
      const byte = this.bus.memory.load(at + i);
      if (byte === null) throw new NotImplemented("execution of what is no memory");
      value += byte * 2 ** (8 * i);
    }
    return value;
  }

  flag(mask: number): boolean {
    return (this.flags & mask) !== 0;
  }

  setFlag(mask: number, on: boolean): void {
    this.flags = on ? this.flags | mask : this.flags & ~mask;
  }
}

// Arithmetic of the tiny processor: results and flags, and the conditions that look at them. Flags as in the Intel manual,
// "EFLAGS Register"; AF, which logical operations leave undefined, is cleared.

import type { Width } from "./bus.js";
import type { Processor } from "./processor.js";

export const CF = 0x001;
const PF = 0x004;
const AF = 0x010;
const ZF = 0x040;
const SF = 0x080;
export const IF = 0x200;
export const DF = 0x400;
const OF = 0x800;
const STATUS = CF | PF | AF | ZF | SF | OF;
/** Numbers of operations. */
export const AND = 4;
export const COMPARE = 7;

/** ADD OR ADC SBB AND SUB XOR CMP by number, with their flags. */
export function alu(cpu: Processor, operation: number, a: number, b: number, width: Width): number {
  const carry = (operation === 2 || operation === 3) && cpu.flag(CF) ? 1 : 0;
  const adds = operation === 0 || operation === 2;
  const subtracts = operation === 3 || operation === 5 || operation === COMPARE;
  const exact = adds ? a + b + carry : subtracts ? a - b - carry : operation === 1 ? a | b : operation === AND ? a & b : a ^ b;
  const value = cutTo(exact, width);
  const sign = 2 ** (8 * width - 1);
  const negative = (one: number): boolean => one >= sign;
  const over = adds
    ? negative(a) === negative(b) && negative(value) !== negative(a)
    : negative(a) !== negative(b) && negative(value) !== negative(a);
  cpu.flags &= ~STATUS;
  cpu.setFlag(CF, (adds || subtracts) && exact !== value);
  cpu.setFlag(AF, (adds || subtracts) && ((a ^ b ^ value) & 0x10) !== 0);
  cpu.setFlag(OF, (adds || subtracts) && over);
  cpu.setFlag(ZF, value === 0);
  cpu.setFlag(SF, negative(value));
  cpu.setFlag(PF, evenParity(value & 0xff));
  return value;
}

/** Conditions of Jcc by number: O B E BE S P L LE, each followed by its opposite. */
export function condition(cpu: Processor, number: number): boolean {
  const less = cpu.flag(SF) !== cpu.flag(OF);
  const all = [
    cpu.flag(OF),
    cpu.flag(CF),
    cpu.flag(ZF),
    cpu.flag(CF | ZF),
    cpu.flag(SF),
    cpu.flag(PF),
    less,
    less || cpu.flag(ZF),
  ];
  return all[number >> 1] !== ((number & 1) === 1);
}

/** The lowest bytes of an exact result. */
export function cutTo(value: number, width: number): number {
  const modulus = 2 ** (8 * width);
  return ((value % modulus) + modulus) % modulus;
}

/** A byte as a distance. */
export function signed(byte: number): number {
  return (byte << 24) >> 24;
}

function evenParity(byte: number): boolean {
  let ones = 0;
  for (let rest = byte; rest !== 0; rest >>= 1) ones += rest & 1;
  return ones % 2 === 0;
}

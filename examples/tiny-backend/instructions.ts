// What the tiny processor executes: a part of the 16-bit code of real mode, enough to count, compare, branch and drive devices. No string
// instructions, stack, interrupts or exceptions. Opcodes and flags as in the Intel manual, "Instruction Set Reference".

import { alu, AND, CF, COMPARE, condition, cutTo, DF, IF, signed } from "./arithmetic.js";
import type { Width } from "./bus.js";
import { NotImplemented, type Processor, type Segment, SEGMENTS } from "./processor.js";

const [AX, CX, DX] = [0, 1, 2];
const PREFIXED_SEGMENTS: ReadonlyMap<number, Segment> = new Map([
  [0x26, "es"],
  [0x2e, "cs"],
  [0x36, "ss"],
  [0x3e, "ds"],
  [0x64, "fs"],
  [0x65, "gs"],
]);

/** A register by number, or memory. */
type Place = { readonly register: number } | { readonly at: number };

// #region step
/** Execute one instruction. @throws NotImplemented for one that this processor has not; its IP is then at it */
export function step(cpu: Processor): void {
  const start = cpu.ip;
  let segment: Segment | null = null;
  let width: 2 | 4 = 2;
  try {
    for (;;) {
      const opcode = cpu.fetch(1);
      const override = PREFIXED_SEGMENTS.get(opcode);
      if (override) segment = override;
      else if (opcode === 0x66) width = 4;
      else if (opcode !== 0xf0) {
        execute(cpu, opcode, segment, opcode & 1 ? width : 1, width); // LOCK: there is one processor
        return;
      }
    }
  } catch (error) {
    cpu.ip = start;
    throw error;
  }
}
// #endregion step

/** @param width  of the operands by the lowest bit of the opcode @param wide  16 or 32 bits, whatever the opcode says */
function execute(cpu: Processor, opcode: number, segment: Segment | null, width: Width, wide: 2 | 4): void {
  const operand = (size = width): { readonly number: number; readonly place: Place } => modRm(cpu, segment, size);
  if (opcode < 0x40 && (opcode & 7) < 6) {
    const operation = opcode >> 3;
    if ((opcode & 7) >= 4) {
      put(cpu, { register: AX }, width, alu(cpu, operation, cpu.get(AX, width), cpu.fetch(width), width), operation);
      return;
    }
    const { number, place } = operand();
    const [to, from]: readonly [Place, Place] = opcode & 2 ? [{ register: number }, place] : [place, { register: number }];
    const value = take(cpu, to, width);
    put(cpu, to, width, alu(cpu, operation, value, take(cpu, from, width), width), operation);
    return;
  }
  if (opcode >= 0x40 && opcode < 0x50) {
    count(cpu, { register: opcode & 7 }, wide, opcode < 0x48 ? 1 : -1);
    return;
  }
  if (opcode >= 0x70 && opcode < 0x80) {
    jump(cpu, signed(cpu.fetch(1)), condition(cpu, opcode & 15));
    return;
  }
  if (opcode >= 0xb0 && opcode < 0xc0) {
    const size = opcode < 0xb8 ? 1 : wide;
    cpu.set(opcode & 7, size, cpu.fetch(size));
    return;
  }
  switch (opcode) {
    case 0x80:
    case 0x81:
    case 0x83: {
      const { number, place } = operand();
      const value = take(cpu, place, width);
      const immediate = opcode === 0x83 ? signed(cpu.fetch(1)) : cpu.fetch(width);
      put(cpu, place, width, alu(cpu, number, value, cutTo(immediate, width), width), number);
      return;
    }
    case 0x84:
    case 0x85: {
      const { number, place } = operand();
      alu(cpu, AND, take(cpu, place, width), cpu.get(number, width), width);
      return;
    }
    case 0x86:
    case 0x87: {
      const { number, place } = operand();
      const value = take(cpu, place, width);
      store(cpu, place, width, cpu.get(number, width));
      cpu.set(number, width, value);
      return;
    }
    case 0x88:
    case 0x89: {
      const { number, place } = operand();
      store(cpu, place, width, cpu.get(number, width));
      return;
    }
    case 0x8a:
    case 0x8b: {
      const { number, place } = operand();
      cpu.set(number, width, take(cpu, place, width));
      return;
    }
    case 0x8e: {
      const { number, place } = operand(2);
      const name = SEGMENTS[number];
      if (!name || name === "cs") throw new NotImplemented("MOV to CS, which raises an exception");
      cpu.loadSegment(name, take(cpu, place, 2));
      return;
    }
    case 0x90:
      return;
    case 0xa0:
    case 0xa1:
      cpu.set(AX, width, take(cpu, { at: cpu.address(segment ?? "ds", cpu.fetch(2), width) }, width));
      return;
    case 0xa2:
    case 0xa3:
      store(cpu, { at: cpu.address(segment ?? "ds", cpu.fetch(2), width) }, width, cpu.get(AX, width));
      return;
    case 0xa8:
    case 0xa9:
      alu(cpu, AND, cpu.get(AX, width), cpu.fetch(width), width);
      return;
    case 0xc6:
    case 0xc7: {
      const { number, place } = operand();
      if (number !== 0) break;
      store(cpu, place, width, cpu.fetch(width));
      return;
    }
    case 0xe2: {
      const distance = signed(cpu.fetch(1));
      cpu.set(CX, 2, cpu.get(CX, 2) - 1);
      jump(cpu, distance, cpu.get(CX, 2) !== 0);
      return;
    }
    case 0xe4:
    case 0xe5:
      cpu.set(AX, width, cpu.bus.in(cpu.fetch(1), width));
      return;
    case 0xe6:
    case 0xe7:
      cpu.bus.out(cpu.fetch(1), width, cpu.get(AX, width));
      return;
    case 0xe9:
      jump(cpu, cpu.fetch(2), true);
      return;
    case 0xeb:
      jump(cpu, signed(cpu.fetch(1)), true);
      return;
    case 0xec:
    case 0xed:
      cpu.set(AX, width, cpu.bus.in(cpu.get(DX, 2), width));
      return;
    case 0xee:
    case 0xef:
      cpu.bus.out(cpu.get(DX, 2), width, cpu.get(AX, width));
      return;
    case 0xf4:
      cpu.halted = true;
      return;
    case 0xf8:
    case 0xf9:
      cpu.setFlag(CF, opcode === 0xf9);
      return;
    case 0xfa:
    case 0xfb:
      cpu.setFlag(IF, opcode === 0xfb);
      return;
    case 0xfc:
    case 0xfd:
      cpu.setFlag(DF, opcode === 0xfd);
      return;
    case 0xfe:
    case 0xff: {
      const { number, place } = operand();
      if (number > 1) break;
      count(cpu, place, width, number === 0 ? 1 : -1);
      return;
    }
  }
  throw new NotImplemented(`opcode ${opcode.toString(16).padStart(2, "0")}h`);
}

const BASES: readonly (readonly [Segment, ...number[]])[] = [
  ["ds", 3, 6], // BX + SI
  ["ds", 3, 7],
  ["ss", 5, 6],
  ["ss", 5, 7],
  ["ds", 6],
  ["ds", 7],
  ["ss", 5],
  ["ds", 3],
];

/** The byte after the opcode: a register or another operation by its number, and a place. */
function modRm(cpu: Processor, override: Segment | null, width: number): { readonly number: number; readonly place: Place } {
  const byte = cpu.fetch(1);
  const [mode, number, rm] = [byte >> 6, (byte >> 3) & 7, byte & 7];
  if (mode === 3) return { number, place: { register: rm } };
  const direct = mode === 0 && rm === 6;
  const [segment, ...registers] = direct ? (["ds"] as const) : BASES[rm]!;
  const distance = direct || mode === 2 ? cpu.fetch(2) : mode === 1 ? signed(cpu.fetch(1)) : 0;
  const offset = registers.reduce((sum, one) => sum + cpu.get(one, 2), distance) & 0xffff;
  return { number, place: { at: cpu.address(override ?? segment, offset, width) } };
}

function take(cpu: Processor, place: Place, width: Width): number {
  return "at" in place ? cpu.bus.read(place.at, width) : cpu.get(place.register, width);
}

function store(cpu: Processor, place: Place, width: Width, value: number): void {
  if ("at" in place) cpu.bus.write(place.at, width, value);
  else cpu.set(place.register, width, value);
}

/** The result of an operation, to where it goes; CMP has none. */
function put(cpu: Processor, place: Place, width: Width, value: number, operation: number): void {
  if (operation !== COMPARE) store(cpu, place, width, value);
}

/** INC and DEC: as ADD and SUB of 1, but for CF. */
function count(cpu: Processor, place: Place, width: Width, by: 1 | -1): void {
  const carry = cpu.flag(CF);
  const value = alu(cpu, by === 1 ? 0 : 5, take(cpu, place, width), 1, width);
  cpu.setFlag(CF, carry);
  store(cpu, place, width, value);
}

function jump(cpu: Processor, distance: number, taken: boolean): void {
  if (taken) cpu.ip = (cpu.ip + distance) & 0xffff;
}

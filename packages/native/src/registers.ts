// Registers to and from the bytes of the register commands (shared/registers_image.h).

import type { Registers, SegmentRegister } from "@ringzero/api";

/** Size of the image in bytes. */
export const REGISTERS_BYTES = 16 * 8 + 16 + 8 * 16 + 2 * 16 + 6 * 8;

const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"] as const;
const TABLES = ["gdtr", "idtr"] as const;
const CONTROLS = ["cr0", "cr2", "cr3", "cr4", "cr8", "efer"] as const;

/** @param bytes exactly REGISTERS_BYTES */
export function decodeRegisters(bytes: Uint8Array): Registers {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const u64 = (): bigint => {
    at += 8;
    return view.getBigUint64(at - 8, true);
  };
  const gpr = Array.from({ length: 16 }, u64);
  const rip = u64();
  const rflags = u64();
  const segments = {} as Record<(typeof SEGMENTS)[number], SegmentRegister>;
  for (const name of SEGMENTS) {
    const selector = view.getUint16(at, true);
    const attributes = view.getUint16(at + 2, true);
    const limit = view.getUint32(at + 4, true);
    at += 8;
    segments[name] = { selector, attributes, limit, base: u64() };
  }
  const tables = {} as Record<(typeof TABLES)[number], { base: bigint; limit: number }>;
  for (const name of TABLES) tables[name] = { base: u64(), limit: Number(u64()) };
  const controls = {} as Record<(typeof CONTROLS)[number], bigint>;
  for (const name of CONTROLS) controls[name] = u64();
  return { gpr, rip, rflags, ...segments, ...tables, ...controls };
}

/** @throws RangeError when `gpr` does not hold 16 values */
export function encodeRegisters(registers: Registers): Uint8Array {
  if (registers.gpr.length !== 16) throw new RangeError(`gpr must hold 16 registers, not ${registers.gpr.length}`);
  const bytes = new Uint8Array(REGISTERS_BYTES);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const u64 = (value: bigint): void => {
    view.setBigUint64(at, BigInt.asUintN(64, value), true);
    at += 8;
  };
  for (const value of registers.gpr) u64(value);
  u64(registers.rip);
  u64(registers.rflags);
  for (const name of SEGMENTS) {
    const segment = registers[name];
    view.setUint16(at, segment.selector, true);
    view.setUint16(at + 2, segment.attributes, true);
    view.setUint32(at + 4, segment.limit, true);
    at += 8;
    u64(segment.base);
  }
  for (const name of TABLES) {
    u64(registers[name].base);
    u64(BigInt(registers[name].limit));
  }
  for (const name of CONTROLS) u64(registers[name]);
  return bytes;
}

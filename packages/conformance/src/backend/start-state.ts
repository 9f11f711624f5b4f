// How a guest program finds its processor: registers and tables for real, protected and 64-bit mode.
// The tables lie in guest memory, so that segment loads and interrupts of a program work as on a booted machine.

import type { MemoryRange, Registers, SegmentRegister, Vm } from "@ringzero/api";
import { CODE_AT, type Mode } from "./program.js";

/** RAM without the VGA window A0000h–BFFFFh, where devices are, and ROM below 1 MiB. Everything else is memory-mapped I/O. */
export const MEMORY: readonly MemoryRange[] = [
  { at: 0, sizeBytes: 0xa0000 },
  { at: 0xe0000, sizeBytes: 0x20000, readOnly: true },
  { at: 0x100000, sizeBytes: 0x100000 },
];
/** A hole that every mode reaches; at the end of RAM, so that one access can touch both. */
export const HOLE_AT = 0xa0000;
export const ROM_AT = 0xe0000;
export const STACK_TOP = 0x7000;
/** Free for a program's data: up to 7000h downward is stack. */
export const DATA_AT = 0x4000;

const GDT_AT = 0x7800; // null, code32, data, code64
const IDT_AT = 0x7a00;
const PAGE_TABLES_AT = 0x8000; // PML4, PDPT, four page directories of 2 MiB pages: the first 4 GiB, each at its own address
const GDT = [0n, 0x00cf_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn, 0x00af_9b00_0000_ffffn];

const segment = (selector: number, limit: number, attributes: number): SegmentRegister => ({
  selector,
  base: 0n,
  limit,
  attributes,
});

/** Registers at the first instruction; what is not named is as after a reset. */
export function startRegisters(mode: Mode): Partial<Registers> {
  const gpr = new Array<bigint>(16).fill(0n);
  gpr[4] = BigInt(STACK_TOP);
  const common = { gpr, rip: BigInt(CODE_AT), rflags: 2n };
  if (mode === 16) {
    const data = segment(0, 0xffff, 0x93);
    return { ...common, cs: segment(0, 0xffff, 0x9b), ds: data, es: data, ss: data, fs: data, gs: data };
  }
  const data = segment(0x10, 0xffff_ffff, 0xc93);
  const tables = { gdtr: { base: BigInt(GDT_AT), limit: GDT.length * 8 - 1 }, idtr: { base: BigInt(IDT_AT), limit: 0x5ff } };
  const flat = { ...common, ...tables, ds: data, es: data, ss: data, fs: data, gs: data };
  if (mode === 32) return { ...flat, cs: segment(0x08, 0xffff_ffff, 0xc9b), cr0: 0x33n, cr4: 0x600n }; // OSFXSR, OSXMMEXCPT
  return {
    ...flat,
    cs: segment(0x18, 0xffff_ffff, 0xa9b),
    cr0: 0x8000_0033n,
    cr3: BigInt(PAGE_TABLES_AT),
    cr4: 0x620n, // PAE too
    efer: 0x500n, // LME, LMA
  };
}

/** ES with a limit of 4 GiB, by which a real-mode program reaches the APICs. */
export const BIG_ES: Partial<Registers> = { es: segment(0, 0xffff_ffff, 0x893) };

/** Put the tables that `startRegisters` points to into guest memory. */
export function writeTables(vm: Vm): void {
  writeQuads(vm, GDT_AT, GDT);
  writeQuads(vm, PAGE_TABLES_AT, [BigInt(PAGE_TABLES_AT + 0x1000) | 3n]);
  const directories = Array.from({ length: 4 }, (_, i) => PAGE_TABLES_AT + 0x2000 + i * 0x1000);
  writeQuads(
    vm,
    PAGE_TABLES_AT + 0x1000,
    directories.map((at) => BigInt(at) | 3n),
  );
  for (const [i, at] of directories.entries()) {
    writeQuads(
      vm,
      at,
      Array.from({ length: 512 }, (_, j) => (BigInt(i * 512 + j) << 21n) | 0x83n),
    );
  }
}

function writeQuads(vm: Vm, at: number, quads: readonly bigint[]): void {
  vm.memory.write(at, new Uint8Array(BigUint64Array.from(quads).buffer));
}

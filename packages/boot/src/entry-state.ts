// Processor state at a guest's first instruction, one function per way of entry.
// Sources: "The Linux/x86 Boot Protocol" (32-bit and 64-bit), "x86/HVM direct boot ABI" (PVH), Multiboot 0.6.96 "Machine state",
// Intel SDM volume 3 "Processor State After Reset".

import type { Registers, SegmentRegister } from "@ringzero/api";

// Descriptor bits 40..47 in 0..7 and 52..55 in 8..11, as in SegmentRegister.attributes. "Accessed" is set, as after a load.
const CODE_32 = 0xc9b; // present, execute/read, 32-bit, 4 KiB granularity
const CODE_64 = 0xa9b; // present, execute/read, 64-bit, 4 KiB granularity
const DATA_32 = 0xc93; // present, read/write, 32-bit, 4 KiB granularity
const TSS_BUSY = 0x08b; // present, busy TSS
const LDT = 0x082;
const CODE_16 = 0x09b;
const DATA_16 = 0x093;

const FLAT_LIMIT = 0xffffffff;
const RFLAGS_RESERVED_ONE = 0x2n;
const CR0_PE = 0x1n;
const CR0_ET = 0x10n;
const CR0_PG = 0x80000000n;
const CR4_PAE = 0x20n;
const EFER_LME_LMA = 0x500n;

/** Selectors of the GDT that `flatGdt` makes; __BOOT_CS and __BOOT_DS of the Linux boot protocol. */
export const BOOT_CS = 0x10;
export const BOOT_DS = 0x18;
const BOOT_TR = 0x20;

/** Indices into `Registers.gpr`. */
export const GPR = { rax: 0, rcx: 1, rdx: 2, rbx: 3, rsp: 4, rbp: 5, rsi: 6, rdi: 7 } as const;

const segment = (selector: number, base: bigint, limit: number, attributes: number): SegmentRegister => ({
  selector,
  base,
  limit,
  attributes,
});

function gprs(values: Partial<Record<keyof typeof GPR, number>>): bigint[] {
  const all = new Array<bigint>(16).fill(0n);
  for (const [name, value] of Object.entries(values)) all[GPR[name as keyof typeof GPR]] = BigInt(value);
  return all;
}

/**
 * The GDT that the entry states below have loaded: null, null, flat code, flat data, TSS.
 * @param longMode  whether the code segment is a 64-bit one
 * @returns 48 bytes; the last descriptor takes two slots in long mode
 */
export function flatGdt(longMode: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(48));
  const put = (selector: number, attributes: number, limit: number) => {
    view.setUint16(selector, limit & 0xffff, true);
    view.setUint8(selector + 5, attributes & 0xff);
    view.setUint8(selector + 6, ((attributes >> 4) & 0xf0) | ((limit >> 16) & 0xf));
  };
  put(BOOT_CS, longMode ? CODE_64 : CODE_32, 0xfffff);
  put(BOOT_DS, DATA_32, 0xfffff);
  put(BOOT_TR, TSS_BUSY, 0x67);
  return new Uint8Array(view.buffer);
}

/**
 * 32-bit protected mode, no paging, interrupts off, flat segments.
 * @param gdtAt  where `flatGdt(false)` lies; below 4 GiB
 */
export function protectedModeEntry(entry: number, gdtAt: number, values: Partial<Record<keyof typeof GPR, number>>): Registers {
  const data = segment(BOOT_DS, 0n, FLAT_LIMIT, DATA_32);
  return {
    gpr: gprs(values),
    rip: BigInt(entry),
    rflags: RFLAGS_RESERVED_ONE,
    cs: segment(BOOT_CS, 0n, FLAT_LIMIT, CODE_32),
    ds: data,
    es: data,
    fs: data,
    gs: data,
    ss: data,
    ldtr: segment(0, 0n, 0xffff, LDT),
    tr: segment(BOOT_TR, 0n, 0x67, TSS_BUSY),
    gdtr: { base: BigInt(gdtAt), limit: 47 },
    idtr: { base: 0n, limit: 0 },
    cr0: CR0_PE | CR0_ET,
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    cr8: 0n,
    efer: 0n,
  };
}

/**
 * 64-bit mode on identity-mapped page tables, interrupts off, flat segments.
 * @param gdtAt         where `flatGdt(true)` lies
 * @param pageTablesAt  the PML4
 */
export function longModeEntry(
  entry: number,
  gdtAt: number,
  pageTablesAt: number,
  values: Partial<Record<keyof typeof GPR, number>>,
): Registers {
  return {
    ...protectedModeEntry(entry, gdtAt, values),
    cs: segment(BOOT_CS, 0n, FLAT_LIMIT, CODE_64),
    cr0: CR0_PG | CR0_ET | CR0_PE,
    cr3: BigInt(pageTablesAt),
    cr4: CR4_PAE,
    efer: EFER_LME_LMA,
  };
}

/**
 * The state after RESET: real mode, first fetch from 0xFFFFFFF0.
 * RDX holds the processor signature there; the engine knows its CPUID profile and sets it, here it is 0.
 */
export function resetEntry(): Registers {
  const data = segment(0, 0n, 0xffff, DATA_16);
  return {
    gpr: gprs({}),
    rip: 0xfff0n,
    rflags: RFLAGS_RESERVED_ONE,
    cs: segment(0xf000, 0xffff0000n, 0xffff, CODE_16),
    ds: data,
    es: data,
    fs: data,
    gs: data,
    ss: data,
    ldtr: segment(0, 0n, 0xffff, LDT),
    tr: segment(0, 0n, 0xffff, TSS_BUSY),
    gdtr: { base: 0n, limit: 0xffff },
    idtr: { base: 0n, limit: 0xffff },
    cr0: 0x60000010n, // CD, NW, ET
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    cr8: 0n,
    efer: 0n,
  };
}

/**
 * Page tables that map the first 4 GiB to themselves with 2 MiB pages.
 * @param at  where they will lie, a multiple of 4096
 * @returns 24 KiB: PML4, PDPT, four page directories
 */
export function identityPageTables(at: number): Uint8Array {
  const PRESENT_WRITABLE = 0x3;
  const LARGE_PAGE = 0x80;
  const view = new DataView(new ArrayBuffer(6 * 4096));
  view.setUint32(0, (at + 0x1000) | PRESENT_WRITABLE, true);
  for (let gib = 0; gib < 4; gib++) {
    const directory = 0x2000 + gib * 0x1000;
    view.setUint32(0x1000 + gib * 8, (at + directory) | PRESENT_WRITABLE, true);
    for (let i = 0; i < 512; i++) {
      view.setUint32(directory + i * 8, (gib * 0x40000000 + i * 0x200000 + (PRESENT_WRITABLE | LARGE_PAGE)) >>> 0, true);
    }
  }
  return new Uint8Array(view.buffer);
}

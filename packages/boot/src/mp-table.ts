// The MultiProcessor table: processors, I/O APIC and interrupt lines for kernels that do not read ACPI, or are told not to (acpi=off).
// Source: Intel "MultiProcessor Specification" 1.4, "MP Configuration Table". What must stay true: checksums; the same processors,
// APICs and lines as the MADT announces (acpi/tables.ts).

import { PC_ADDRESSES, PC_IRQS } from "@ringzero/api";

/** Kernels look for the pointer on multiples of 16 in F0000h..FFFFFh; the SMBIOS tables are below. */
export const MP_TABLE_AT = 0xf1000;

const POINTER_BYTES = 16;
const HEADER_BYTES = 44;
const REVISION = 4; // 1.4
const LOCAL_APIC_AT = 0xfee00000;
const LOCAL_APIC_VERSION = 0x14;
const IO_APIC_VERSION = 0x20;
const FPU_AND_APIC = 0x201; // as in CPUID leaf 1 EDX
const PROCESSOR_ENABLED = 1;
const PROCESSOR_BOOTS = 2;
const ISA_BUS = 0;
const ISA_LINES = 16;
const CASCADE = 2; // the second 8259A; not a line of its own
const TO_ALL_LOCAL_APICS = 0xff;
const TIMER_PIN = 2; // IRQ 0 is there
const LEVEL_HIGH = 0xd; // polarity active high, level-triggered
const CONFORMS = 0; // as the bus does: edge, active high

const Kind = { interrupt: 0, nmi: 1, external: 3 } as const;

const u16 = (value: number) => [value & 0xff, (value >> 8) & 0xff];
const u32 = (value: number) => [...u16(value & 0xffff), ...u16(Math.floor(value / 0x10000))];
const text = (value: string, bytes: number) => [...Buffer.from(value.padEnd(bytes), "latin1")];

function withChecksum(bytes: number[], at: number): number[] {
  bytes[at] = -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return bytes;
}

/**
 * Floating pointer structure and, behind it, the configuration table.
 * @param cpus  1..254; APIC ids are 0..cpus-1
 */
export function buildMpTable(cpus: number): Uint8Array {
  const ioApic = cpus <= 15 ? cpus : 0; // an id that no processor has, as the specification wants, if there is one
  const entries: number[][] = [];
  for (let id = 0; id < cpus; id++) {
    const flags = PROCESSOR_ENABLED | (id === 0 ? PROCESSOR_BOOTS : 0);
    entries.push([0, id, LOCAL_APIC_VERSION, flags, ...u32(0x600), ...u32(FPU_AND_APIC), ...u32(0), ...u32(0)]);
  }
  entries.push([1, ISA_BUS, ...text("ISA", 6)]);
  entries.push([2, ioApic, IO_APIC_VERSION, 1, ...u32(PC_ADDRESSES.ioApic)]);
  for (let line = 0; line < ISA_LINES; line++) {
    if (line === CASCADE) continue;
    const flags = line === PC_IRQS.acpiSci ? LEVEL_HIGH : CONFORMS;
    entries.push([3, Kind.interrupt, ...u16(flags), ISA_BUS, line, ioApic, line === 0 ? TIMER_PIN : line]);
  }
  entries.push([4, Kind.external, ...u16(CONFORMS), ISA_BUS, 0, TO_ALL_LOCAL_APICS, 0]);
  entries.push([4, Kind.nmi, ...u16(CONFORMS), ISA_BUS, 0, TO_ALL_LOCAL_APICS, 1]);

  const body = entries.flat();
  const header = [
    ...text("PCMP", 4),
    ...u16(HEADER_BYTES + body.length),
    REVISION,
    0, // checksum
    ...text("RZERO", 8),
    ...text("PC V1", 12),
    ...u32(0), // no table of the manufacturer's
    ...u16(0),
    ...u16(entries.length),
    ...u32(LOCAL_APIC_AT),
    ...u16(0), // no extended table
    0,
    0,
  ];
  const pointer = [...text("_MP_", 4), ...u32(MP_TABLE_AT + POINTER_BYTES), 1, REVISION, 0, 0, 0, 0, 0, 0];
  return Uint8Array.from([...withChecksum(pointer, 10), ...withChecksum([...header, ...body], 7)]);
}

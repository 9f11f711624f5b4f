// Builds the ACPI tables of PC platform v1: RSDP, RSDT, XSDT, FADT, FACS, MADT, DSDT, in one block for a fixed address.
// Source: ACPI specification, "ACPI Software Programming Model". The fixed hardware they announce is packages/devices' acpi-pm.
// What must stay true: checksums; legacy hardware is announced as what it is (not hardware-reduced), and ACPI mode is always on (SMI_CMD 0).

import { PC_ADDRESSES, PC_IRQS, PC_PORTS } from "@ringzero/api";
import { type AcpiUart, dsdtBody } from "./dsdt.js";

const OEM_ID = "RZERO ";
const OEM_TABLE_ID = "RZPC0001";
const CREATOR_ID = "RZRO";
const HEADER_BYTES = 36;
const FADT_BYTES = 276;
const FACS_BYTES = 64;
const RSDP_BYTES = 36;

export interface AcpiOptions {
  /** Where the block will lie; a multiple of 64, below 4 GiB. The RSDP is its first byte, so it can be found by scanning. */
  readonly at?: number;
  /** 1..254; APIC ids are 0..cpus-1. */
  readonly cpus: number;
  /** Default: COM1. */
  readonly uarts?: readonly AcpiUart[];
}

export interface AcpiTables {
  readonly at: number;
  readonly rsdpAt: number;
  readonly bytes: Uint8Array;
  /** Each table alone, by signature, for tests and tools. */
  readonly tables: ReadonlyMap<string, Uint8Array>;
}

/** @throws RangeError when `cpus` or `at` is out of range */
export function buildAcpiTables(options: AcpiOptions): AcpiTables {
  const { at = PC_ADDRESSES.acpiTables, cpus, uarts = [{ port: PC_PORTS.com1, irq: PC_IRQS.com1 }] } = options;
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > 254) throw new RangeError(`cpus must be 1..254, not ${cpus}`);
  if (at % 64 !== 0) throw new RangeError(`ACPI tables must lie on a multiple of 64, not 0x${at.toString(16)}`);

  const placed: { at: number; bytes: Uint8Array }[] = [];
  const tables = new Map<string, Uint8Array>();
  let next = at;
  const put = (signature: string, bytes: Uint8Array): number => {
    const here = next;
    placed.push({ at: here, bytes });
    tables.set(signature, bytes);
    next = Math.ceil((here + bytes.length) / 64) * 64; // the FACS needs 64, and it costs nothing for the others
    return here;
  };

  const rsdpAt = next;
  next += 64;
  const facsAt = put("FACS", facs());
  const dsdtAt = put("DSDT", table("DSDT", 2, dsdtBody(cpus, uarts)));
  const listed = [put("FACP", fadt(facsAt, dsdtAt)), put("APIC", madt(cpus))];
  const rsdtAt = put("RSDT", table("RSDT", 1, addresses(listed, 4)));
  const xsdtAt = put("XSDT", table("XSDT", 1, addresses(listed, 8)));
  const rsdpBytes = rsdp(rsdtAt, xsdtAt);
  tables.set("RSDP", rsdpBytes);
  placed.push({ at: rsdpAt, bytes: rsdpBytes });

  const bytes = new Uint8Array(next - at);
  for (const part of placed) bytes.set(part.bytes, part.at - at);
  return { at, rsdpAt, bytes, tables };
}

/** The byte that makes the sum of all bytes zero. */
function checksum(bytes: Uint8Array): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

function putText(view: DataView, at: number, value: string): void {
  for (let i = 0; i < value.length; i++) view.setUint8(at + i, value.charCodeAt(i));
}

function table(signature: string, revision: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(bytes.buffer);
  putText(view, 0, signature);
  view.setUint32(4, bytes.length, true);
  view.setUint8(8, revision);
  putText(view, 10, OEM_ID);
  putText(view, 16, OEM_TABLE_ID);
  view.setUint32(24, 1, true); // OEM revision
  putText(view, 28, CREATOR_ID);
  view.setUint32(32, 1, true); // creator revision
  bytes.set(body, HEADER_BYTES);
  bytes[9] = checksum(bytes);
  return bytes;
}

function addresses(all: readonly number[], sizeBytes: 4 | 8): Uint8Array {
  const view = new DataView(new ArrayBuffer(all.length * sizeBytes));
  for (const [i, address] of all.entries()) view.setUint32(i * sizeBytes, address, true);
  return new Uint8Array(view.buffer);
}

function rsdp(rsdtAt: number, xsdtAt: number): Uint8Array {
  const bytes = new Uint8Array(RSDP_BYTES);
  const view = new DataView(bytes.buffer);
  putText(view, 0, "RSD PTR ");
  putText(view, 9, OEM_ID);
  view.setUint8(15, 2); // revision: ACPI 2.0 and later
  view.setUint32(16, rsdtAt, true);
  view.setUint32(20, RSDP_BYTES, true);
  view.setUint32(24, xsdtAt, true);
  bytes[8] = checksum(bytes.subarray(0, 20));
  bytes[32] = checksum(bytes);
  return bytes;
}

function facs(): Uint8Array {
  const bytes = new Uint8Array(FACS_BYTES);
  const view = new DataView(bytes.buffer);
  putText(view, 0, "FACS");
  view.setUint32(4, FACS_BYTES, true);
  view.setUint8(32, 2); // version
  return bytes;
}

/** Fixed ACPI Description Table. Offsets are those of the specification's table "FADT Format", less the header. */
function fadt(facsAt: number, dsdtAt: number): Uint8Array {
  const body = new Uint8Array(FADT_BYTES - HEADER_BYTES);
  const view = new DataView(body.buffer);
  const u8 = (at: number, value: number) => view.setUint8(at - HEADER_BYTES, value);
  const u16 = (at: number, value: number) => view.setUint16(at - HEADER_BYTES, value, true);
  const u32 = (at: number, value: number) => view.setUint32(at - HEADER_BYTES, value, true);
  const SYSTEM_IO = 1;
  const genericAddress = (at: number, port: number, widthBits: number, accessSize: number) => {
    u8(at, SYSTEM_IO);
    u8(at + 1, widthBits);
    u8(at + 3, accessSize); // 1 byte, 2 word, 3 dword
    u32(at + 4, port);
  };

  u32(36, facsAt);
  u32(40, dsdtAt);
  u16(46, PC_IRQS.acpiSci);
  u32(56, PC_PORTS.acpiPm1Event);
  u32(64, PC_PORTS.acpiPm1Control);
  u32(76, PC_PORTS.acpiPmTimer);
  u32(80, PC_PORTS.acpiGpe0);
  u8(88, 4); // PM1_EVT_LEN
  u8(89, 2); // PM1_CNT_LEN
  u8(91, 4); // PM_TMR_LEN
  u8(92, 4); // GPE0_BLK_LEN
  u16(96, 0xfff); // P_LVL2_LAT: above 100 means no C2
  u16(98, 0xfff); // P_LVL3_LAT: above 1000 means no C3
  u8(108, 0x32); // CENTURY: CMOS index
  u16(109, 0x7); // IAPC_BOOT_ARCH: legacy devices, an 8042, no VGA
  const WBINVD = 1 << 0;
  const PROC_C1 = 1 << 2;
  const FIX_RTC = 1 << 6; // RTC wake is not in the fixed registers
  const TMR_VAL_EXT = 1 << 8; // the PM timer has 32 bits
  const RESET_REG_SUP = 1 << 10;
  u32(112, WBINVD | PROC_C1 | FIX_RTC | TMR_VAL_EXT | RESET_REG_SUP); // power and sleep button are fixed hardware: bits 4 and 5 clear
  genericAddress(116, PC_PORTS.resetControl, 8, 1);
  u8(128, 0x06); // RESET_VALUE: a hard reset in the PIIX sense
  u8(131, 3); // minor version: 6.3
  u32(140, dsdtAt);
  genericAddress(148, PC_PORTS.acpiPm1Event, 32, 2);
  genericAddress(172, PC_PORTS.acpiPm1Control, 16, 2);
  genericAddress(208, PC_PORTS.acpiPmTimer, 32, 3);
  genericAddress(220, PC_PORTS.acpiGpe0, 32, 1);
  return table("FACP", 6, body);
}

/** Multiple APIC Description Table. */
function madt(cpus: number): Uint8Array {
  const entries: number[] = [];
  const u32 = (value: number) => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
  const u16 = (value: number) => [value & 0xff, value >>> 8];
  const PCAT_COMPAT = 1; // there are 8259s too
  const ENABLED = 1;
  const LEVEL_ACTIVE_HIGH = 0xd;
  entries.push(...u32(PC_ADDRESSES.localApic), ...u32(PCAT_COMPAT));
  for (let i = 0; i < cpus; i++) entries.push(0, 8, i, i, ...u32(ENABLED));
  entries.push(1, 12, 0, 0, ...u32(PC_ADDRESSES.ioApic), ...u32(0));
  entries.push(2, 10, 0, PC_IRQS.pit, ...u32(2), ...u16(0)); // the PIT reaches the IOAPIC at input 2
  entries.push(2, 10, 0, PC_IRQS.acpiSci, ...u32(PC_IRQS.acpiSci), ...u16(LEVEL_ACTIVE_HIGH));
  entries.push(4, 6, 0xff, ...u16(0), 1); // NMI at LINT1 of every processor
  return table("APIC", 5, Uint8Array.from(entries));
}

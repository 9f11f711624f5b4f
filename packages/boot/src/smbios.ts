// SMBIOS tables, 3.0 entry point: who made this machine, and how much memory it has, for guests that ask (dmidecode, systemd, cloud-init).
// Source: DMTF "System Management BIOS (SMBIOS) Reference Specification". What must stay true: the checksum, and the end-of-table structure.

import { formatSize, PC_ADDRESSES } from "@ringzero/api";

const ENTRY_POINT_BYTES = 24;
const VENDOR = "Ringzero";
const PRODUCT = "PC v1";

/** Guests scan F0000h..FFFFFh on multiples of 16 for the entry point. */
export const SMBIOS_AT = 0xf0000;

/** A structure: header, formatted area, its strings. */
function structure(type: number, handle: number, formatted: readonly number[], strings: readonly string[] = []): number[] {
  const text = strings.flatMap((value) => [...Buffer.from(value, "latin1"), 0]);
  return [type, formatted.length + 4, handle & 0xff, handle >> 8, ...formatted, ...(text.length === 0 ? [0] : text), 0];
}

const u16 = (value: number) => [value & 0xff, (value >> 8) & 0xff];
const u32 = (value: number) => [...u16(value & 0xffff), ...u16(Math.floor(value / 0x10000))];
const u64 = (value: number) => [...u32(value % 2 ** 32), ...u32(Math.floor(value / 2 ** 32))];

/**
 * The entry point, and the structures behind it.
 * @returns bytes for `SMBIOS_AT`
 */
export function buildSmbios(memoryBytes: number): Uint8Array {
  const CHARACTERISTICS_NOT_SUPPORTED = 8; // "BIOS characteristics are not supported"
  const VIRTUAL_MACHINE = 0x10; // second extension byte
  const kib = memoryBytes / 1024;
  const body = [
    // BIOS: vendor, version, segment, date, ROM size, characteristics, extensions, release numbers
    ...structure(
      0,
      0,
      [1, 2, ...u16(0xe000), 3, 0, ...u64(CHARACTERISTICS_NOT_SUPPORTED), 0, VIRTUAL_MACHINE, 1, 0, 0xff, 0xff],
      [VENDOR, "1.0", "01/01/2026"],
    ),
    // System: manufacturer, product, no version, no serial, no UUID, wake-up by the power switch, no SKU, no family
    ...structure(1, 1, [1, 2, 0, 0, ...new Array<number>(16).fill(0), 6, 0, 0], [VENDOR, PRODUCT]),
    // Chassis: "other", as there is none
    ...structure(3, 3, [1, 1, 0, 0, 0, 3, 3, 3, 2, ...u32(0), 0, 0, 0, 0], [VENDOR]),
    // Memory array in the system board, without error correction
    ...structure(16, 16, [
      3,
      3,
      3,
      ...(kib < 0x80000000 ? u32(kib) : u32(0x80000000)),
      ...u16(0xfffe),
      ...u16(1),
      ...u64(kib < 0x80000000 ? 0 : memoryBytes),
    ]),
    // One module of it
    ...structure(17, 17, memoryDevice(memoryBytes), ["DIMM 0", formatSize(memoryBytes)]),
    // Boot status: no errors
    ...structure(32, 32, [0, 0, 0, 0, 0, 0, 0]),
    ...structure(127, 127, []),
  ];
  const tableAt = SMBIOS_AT + 32;
  const bytes = new Uint8Array(32 + body.length);
  bytes.set(Buffer.from("_SM3_", "latin1"));
  bytes.set([0, ENTRY_POINT_BYTES, 3, 2, 0, 1, 0, ...u32(body.length), ...u64(tableAt)], 5);
  bytes[5] = -bytes.subarray(0, ENTRY_POINT_BYTES).reduce((sum, byte) => sum + byte, 0) & 0xff;
  bytes.set(body, 32);
  if (SMBIOS_AT + bytes.length > PC_ADDRESSES.highMemory) throw new RangeError("the SMBIOS tables do not fit below 1 MiB");
  return bytes;
}

/** Formatted area of a memory device, SMBIOS 2.8: unknown form and type, one bank. */
function memoryDevice(memoryBytes: number): number[] {
  const mib = memoryBytes / 2 ** 20;
  const USE_EXTENDED_SIZE = 0x7fff;
  const size = mib < USE_EXTENDED_SIZE ? Math.floor(mib) : USE_EXTENDED_SIZE;
  const UNKNOWN = 2;
  const RAM = 7;
  return [
    ...u16(16), // its array
    ...u16(0xfffe), // no error information
    ...u16(0xffff), // widths unknown
    ...u16(0xffff),
    ...u16(size),
    UNKNOWN,
    0, // device set: none
    1, // locator
    2, // bank locator: its size in words
    RAM,
    ...u16(1 << UNKNOWN),
    ...u16(0), // speed unknown
    ...[0, 0, 0, 0, 0], // no maker, serial, tag, part number; rank unknown
    ...u32(size === USE_EXTENDED_SIZE ? Math.floor(mib) : 0),
    ...u16(0), // configured speed
    ...u16(0),
    ...u16(0),
    ...u16(0), // voltages unknown
  ];
}

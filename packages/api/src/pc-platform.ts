// The address map of PC platform v1: which ports, interrupt lines and guest-physical ranges a Ringzero PC has.
// Read by devices (who claims the ports), boot (who tells the guest through ACPI and E820), core and the backends.
// What must stay true: these are what a guest saw when it booted, so a change breaks saved machines.

import type { GuestAddress } from "./memory.js";

/** I/O ports, by device. Each is the first port of its block. */
export const PC_PORTS = {
  pic0: 0x20,
  pit: 0x40,
  i8042Data: 0x60,
  systemControlB: 0x61,
  i8042Command: 0x64,
  rtcIndex: 0x70,
  rtcData: 0x71,
  postCode: 0x80,
  systemControlA: 0x92, // fast A20 and fast reset
  pic1: 0xa0,
  logPort: 0xe9,
  debugExit: 0xf4,
  com4: 0x2e8,
  com2: 0x2f8,
  com3: 0x3e8,
  com1: 0x3f8,
  acpiPm1Event: 0x600, // 4 ports: status, enable
  acpiPm1Control: 0x604, // 2 ports
  acpiPmTimer: 0x608, // 4 ports, one 32-bit register
  acpiGpe0: 0x620, // 4 ports: 2 of status, 2 of enable
  resetControl: 0xcf9,
} as const;

/** ISA interrupt lines; the number is the GSI too, but the PIT's, which reaches the IOAPIC at input 2. */
export const PC_IRQS = {
  pit: 0,
  keyboard: 1,
  com2: 3,
  com1: 4,
  rtc: 8,
  acpiSci: 9, // level-triggered, active high
  mouse: 12,
} as const;

/** Fixed guest-physical addresses. */
export const PC_ADDRESSES = {
  /** End of conventional memory. */
  conventionalEnd: 0xa0000,
  /** Start of the RAM that stands where a PC has option ROMs and its firmware; ends at 1 MiB. */
  upperMemory: 0xc0000,
  /** ACPI tables, inside the range that a guest scans for the RSDP. */
  acpiTables: 0xe0000,
  highMemory: 0x100000,
  /** RAM below 4 GiB ends here at the latest; from here to 4 GiB are devices and firmware. */
  lowMemoryEnd: 0xc0000000,
  ioApic: 0xfec00000,
  localApic: 0xfee00000,
  fourGiB: 0x100000000,
} as const;

/** What a value at SLP_TYPx means: the number that the `\_S5` package of our ACPI tables announces. */
export const ACPI_SLEEP_TYPE_S5 = 5;

/** One stretch of guest RAM. */
export interface RamRange {
  /** First byte, a multiple of 4096. */
  readonly at: GuestAddress;
  /** Multiple of 4096, not zero. */
  readonly sizeBytes: number;
}

/**
 * Where a PC with this much memory has RAM, in address order.
 *
 * The hole for video memory (0xA0000..0xBFFFF) costs 128 KiB of the total, as on the machines of old, where it hid the RAM behind it.
 * @param memoryBytes  a multiple of 4096, at least 2 MiB
 * @throws RangeError when `memoryBytes` is not that
 */
export function pcRamLayout(memoryBytes: number): RamRange[] {
  if (!Number.isSafeInteger(memoryBytes) || memoryBytes < 0x200000 || memoryBytes % 4096 !== 0) {
    throw new RangeError(`memoryBytes must be a multiple of 4096, at least 2 MiB, not ${memoryBytes}`);
  }
  const { conventionalEnd, upperMemory, lowMemoryEnd, fourGiB } = PC_ADDRESSES;
  const lowEnd = Math.min(memoryBytes, lowMemoryEnd);
  const ranges: RamRange[] = [
    { at: 0, sizeBytes: conventionalEnd },
    { at: upperMemory, sizeBytes: lowEnd - upperMemory },
  ];
  if (memoryBytes > lowEnd) ranges.push({ at: fourGiB, sizeBytes: memoryBytes - lowEnd });
  return ranges;
}

// What a guest is told about its physical memory (E820 and the PVH and Multiboot maps made of it), and a planner
// that finds room in it for the things a loader brings. What must stay true: nothing is placed outside RAM,
// and no two things overlap.

import type { LoadRange, MachineShape } from "@ringzero/api";
import { type GuestAddress, PC_ADDRESSES, pcRamLayout, RingzeroError } from "@ringzero/api";

/** Address range types of ACPI, "System Address Map Interfaces". */
export const E820 = { ram: 1, reserved: 2, acpi: 3, nvs: 4 } as const;

export interface MemoryMapEntry {
  readonly at: GuestAddress;
  readonly sizeBytes: number;
  readonly type: (typeof E820)[keyof typeof E820];
}

/** The last KiB of conventional memory is the extended BIOS data area on every PC; guests expect it reserved. */
export const EBDA = 0x9fc00;

/** The map for a PC with this much memory, in address order. */
export function pcMemoryMap(memoryBytes: number): MemoryMapEntry[] {
  const { conventionalEnd, acpiTables, highMemory, ioApic, fourGiB } = PC_ADDRESSES;
  const map: MemoryMapEntry[] = [
    { at: 0, sizeBytes: EBDA, type: E820.ram },
    { at: EBDA, sizeBytes: conventionalEnd - EBDA, type: E820.reserved },
    { at: acpiTables, sizeBytes: highMemory - acpiTables, type: E820.reserved },
  ];
  for (const range of pcRamLayout(memoryBytes)) {
    const start = Math.max(range.at, highMemory);
    const sizeBytes = range.at + range.sizeBytes - start;
    if (sizeBytes <= 0) continue;
    if (start >= fourGiB) map.push({ at: ioApic, sizeBytes: fourGiB - ioApic, type: E820.reserved });
    map.push({ at: start, sizeBytes, type: E820.ram });
  }
  if (map.at(-1)!.at < fourGiB) map.push({ at: ioApic, sizeBytes: fourGiB - ioApic, type: E820.reserved });
  return map;
}

/** End of the RAM that starts at 1 MiB. */
export function lowMemoryEnd(shape: MachineShape): number {
  return Math.min(shape.memoryBytes, PC_ADDRESSES.lowMemoryEnd);
}

/** Collects load ranges and refuses any that leaves RAM or hits another. */
export class MemoryPlan {
  readonly #ranges: LoadRange[] = [];
  readonly #taken: { at: number; end: number; what: string }[] = [];
  readonly #end: number;

  constructor(readonly shape: MachineShape) {
    this.#end = lowMemoryEnd(shape);
  }

  get ranges(): readonly LoadRange[] {
    return this.#ranges;
  }

  /**
   * Put bytes at a fixed address.
   * @param spanBytes  what they take up in the end, when it is more than the bytes (a kernel's .bss)
   * @param rest       whether the rest of the span is loaded as zeros, or only kept free
   * @throws RingzeroError `BOOT_NO_ROOM` when they leave RAM, or hit something placed before
   */
  place(what: string, at: number, bytes: Uint8Array, spanBytes = bytes.length, rest: "zeros" | "free" = "free"): void {
    const end = at + Math.max(spanBytes, bytes.length);
    const inLow = end <= PC_ADDRESSES.conventionalEnd;
    const inUpper = at >= PC_ADDRESSES.upperMemory && end <= this.#end;
    if (!inLow && !inUpper) {
      throw new RingzeroError(
        "BOOT_NO_ROOM",
        `${what} needs guest memory ${hex(at)}..${hex(end - 1)}, and the machine's memory there ends at ${hex(this.#end)}; ` +
          `give the machine at least ${Math.ceil(end / 0x100000)} MiB of memory`,
      );
    }
    const hit = this.#taken.find((other) => at < other.end && other.at < end);
    if (hit) {
      throw new RingzeroError(
        "BOOT_NO_ROOM",
        `${what} at ${hex(at)}..${hex(end - 1)} would overwrite ${hit.what} at ${hex(hit.at)}..${hex(hit.end - 1)}; link it to another address, or use smaller files`,
      );
    }
    this.#taken.push({ at, end, what });
    const content = rest === "zeros" && spanBytes > bytes.length ? zeroExtended(bytes, spanBytes) : bytes;
    if (content.length > 0) this.#ranges.push({ at, bytes: content, what });
  }

  /**
   * Put bytes on whole pages as high as they fit in the RAM from 1 MiB on.
   * @param limit  first address that they must not reach
   * @returns where they are
   * @throws RingzeroError `BOOT_NO_ROOM`
   */
  placeHigh(what: string, bytes: Uint8Array, limit = this.#end): number {
    let end = Math.min(limit, this.#end);
    for (;;) {
      const at = Math.floor((end - bytes.length) / 4096) * 4096;
      if (at < PC_ADDRESSES.highMemory) {
        throw new RingzeroError(
          "BOOT_NO_ROOM",
          `${what} has ${bytes.length} bytes and does not fit beside the kernel into ${Math.floor(this.#end / 0x100000)} MiB of memory; give the machine more memory`,
        );
      }
      const hit = this.#taken.find((other) => at < other.end && other.at < at + bytes.length);
      if (!hit) {
        this.place(what, at, bytes);
        return at;
      }
      end = hit.at;
    }
  }
}

function hex(address: number): string {
  return `0x${address.toString(16)}`;
}

/** Memory is not zero at the second boot of a machine, so .bss has to be loaded like the rest. */
function zeroExtended(bytes: Uint8Array, sizeBytes: number): Uint8Array {
  const all = new Uint8Array(sizeBytes);
  all.set(bytes);
  return all;
}

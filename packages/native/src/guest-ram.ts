// Guest RAM and ROM as typed-array views over a native mapping, for any backend whose addon can hand out pieces of it as
// ArrayBuffers. Views are zero-copy; windows of at most 4 GiB are made on first use and kept.

import { type GuestAddress, type GuestMemory, type MemoryRange, RingzeroError } from "@ringzero/api";

/** The part of an addon that GuestRam needs. */
export interface RamSource {
  /** An ArrayBuffer over `sizeBytes` (at most 2^32) bytes at `offset` of the RAM mapping. */
  ram(offset: number, sizeBytes: number): ArrayBuffer;
  /** Guest-physical bytes were changed: drop what was made of them as code. */
  touched(at: number, sizeBytes: number): void;
}

const WINDOW_BYTES = 2 ** 32; // Node refuses larger ArrayBuffers
const HUGE_PAGE_BYTES = 2 ** 21;

interface Slot {
  readonly at: number;
  readonly end: number;
  /** Where the range starts in the RAM mapping. */
  readonly offset: number;
  readonly windows: (ArrayBuffer | undefined)[];
}

/**
 * @see GuestMemory for the contract; ranges lie one after the other in the mapping, in the order given, each as far from a multiple of
 * 2 MiB as in the guest (`Range` in shared/layout.h).
 */
export class GuestRam implements GuestMemory {
  readonly sizeBytes: number;
  readonly #source: RamSource;
  readonly #slots: Slot[] = [];
  #last: Slot | undefined;
  #open = true;

  /** @param ranges  sorted, not overlapping; at most 64 GiB in all */
  constructor(source: RamSource, ranges: readonly MemoryRange[]) {
    this.#source = source;
    let offset = 0;
    let sizeBytes = 0;
    for (const range of ranges) {
      offset += (range.at + HUGE_PAGE_BYTES - (offset % HUGE_PAGE_BYTES)) % HUGE_PAGE_BYTES;
      this.#slots.push({ at: range.at, end: range.at + range.sizeBytes, offset, windows: [] });
      offset += range.sizeBytes;
      sizeBytes += range.sizeBytes;
    }
    this.sizeBytes = sizeBytes;
    this.#last = this.#slots[0];
  }

  view(at: GuestAddress, sizeBytes: number): Uint8Array {
    if (!this.#open) throw new RingzeroError("VM_NOT_OPEN", "guest memory was asked for after the machine was disposed");
    const slot = this.#slotOf(at, sizeBytes);
    const within = at - slot.at;
    const index = Math.floor(within / WINDOW_BYTES);
    const start = index * WINDOW_BYTES;
    if (within - start + sizeBytes > WINDOW_BYTES) {
      return new Uint8Array(this.#source.ram(slot.offset + within, sizeBytes)); // straddles two windows: one of its own
    }
    let window = slot.windows[index];
    if (window === undefined) {
      window = this.#source.ram(slot.offset + start, Math.min(WINDOW_BYTES, slot.end - slot.at - start));
      slot.windows[index] = window;
    }
    return new Uint8Array(window, within - start, sizeBytes);
  }

  write(at: GuestAddress, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.view(at, bytes.length).set(bytes);
    this.#source.touched(at, bytes.length);
  }

  read(at: GuestAddress, sizeBytes: number): Uint8Array {
    return sizeBytes === 0 ? new Uint8Array(0) : this.view(at, sizeBytes).slice();
  }

  touched(at: GuestAddress, sizeBytes: number): void {
    if (sizeBytes > 0) this.#source.touched(at, sizeBytes);
  }

  /** Refuse new views. The backend has released its mapping, or will; what existing views read then is up to it. */
  close(): void {
    this.#open = false;
    for (const slot of this.#slots) slot.windows.length = 0;
  }

  #slotOf(at: number, sizeBytes: number): Slot {
    if (!Number.isInteger(at) || !Number.isInteger(sizeBytes) || sizeBytes < 1 || sizeBytes > WINDOW_BYTES) {
      throw new RangeError(`no guest memory view of ${sizeBytes} bytes at ${at}: both must be integers, the size 1..2^32`);
    }
    const last = this.#last;
    if (last !== undefined && at >= last.at && at + sizeBytes <= last.end) return last;
    for (const slot of this.#slots) {
      if (at < slot.at || at + sizeBytes > slot.end) continue;
      this.#last = slot;
      return slot;
    }
    throw new RangeError(
      `guest-physical 0x${at.toString(16)}..0x${(at + sizeBytes).toString(16)} is not RAM or ROM of one range`,
    );
  }
}

// Guest memory of the tiny backend: what the host sees of it, and the accesses of the processor with the log of written pages.
// What must stay true: a view is the guest's own bytes, and whatever no range holds is a device.

import type { GuestMemory, MemoryRange } from "@ringzero/api";

const PAGE_BYTES = 4096;

interface Piece {
  readonly at: number;
  readonly end: number;
  readonly readOnly: boolean;
  readonly bytes: Uint8Array;
}

// #region memory
export class TinyMemory implements GuestMemory {
  readonly #pieces: readonly Piece[];
  /** Numbers of the pages that the guest wrote; null: nobody wants to know. */
  #written: Set<number> | null = null;

  constructor(ranges: readonly MemoryRange[]) {
    this.#pieces = ranges.map(({ at, sizeBytes, readOnly = false }) => {
      return { at, end: at + sizeBytes, readOnly, bytes: new Uint8Array(sizeBytes) };
    });
  }

  get sizeBytes(): number {
    return this.#pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  view(at: number, sizeBytes: number): Uint8Array {
    const piece = this.#pieceAt(at);
    if (!piece || !(sizeBytes > 0) || at + sizeBytes > piece.end)
      throw new RangeError(`${sizeBytes} bytes at 0x${at.toString(16)} are not RAM or ROM of one range`);
    return piece.bytes.subarray(at - piece.at, at - piece.at + sizeBytes);
  }

  write(at: number, bytes: Uint8Array): void {
    this.view(at, bytes.length).set(bytes);
  }

  read(at: number, sizeBytes: number): Uint8Array {
    return this.view(at, sizeBytes).slice();
  }

  touched(): void {} // an interpreter reads code anew each time; a translator forgets what it made of it
  // #endregion memory

  // #region guest-access
  /** A byte for the guest, or null where a device is. */
  load(at: number): number | null {
    const piece = this.#pieceAt(at);
    return piece ? piece.bytes[at - piece.at]! : null;
  }

  /** A byte of the guest's. @returns whether it is memory; ROM is, and keeps what it holds */
  store(at: number, value: number): boolean {
    const piece = this.#pieceAt(at);
    if (!piece) return false;
    if (!piece.readOnly) {
      piece.bytes[at - piece.at] = value;
      this.#written?.add(Math.floor(at / PAGE_BYTES));
    }
    return true;
  }
  // #endregion guest-access

  // #region dirty-log
  track(on: boolean): void {
    this.#written = on ? new Set() : null;
  }

  /** Pages written since the last call, adjacent ones as one range; null when nothing is tracked. */
  takeWritten(): readonly MemoryRange[] | null {
    if (!this.#written) return null;
    const pages = [...this.#written].sort((a, b) => a - b);
    this.#written = new Set();
    const ranges: { at: number; sizeBytes: number }[] = [];
    for (const page of pages) {
      const last = ranges.at(-1);
      if (last && last.at + last.sizeBytes === page * PAGE_BYTES) last.sizeBytes += PAGE_BYTES;
      else ranges.push({ at: page * PAGE_BYTES, sizeBytes: PAGE_BYTES });
    }
    return ranges;
  }
  // #endregion dirty-log

  #pieceAt(at: number): Piece | undefined {
    return this.#pieces.find((piece) => at >= piece.at && at < piece.end);
  }
}

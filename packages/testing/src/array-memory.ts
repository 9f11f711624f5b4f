// Guest memory in plain arrays.

import type { GuestAddress, GuestMemory, MemoryRange } from "@ringzero/api";

interface Block {
  readonly at: number;
  readonly sizeBytes: number;
  bytes: Uint8Array | null; // made on first use: a fake machine of many GiB costs nothing
}

/** What `ArrayMemory.touched` was told, for tests of code that writes through views. */
export interface Touch {
  readonly at: GuestAddress;
  readonly sizeBytes: number;
}

export class ArrayMemory implements GuestMemory {
  readonly #blocks: readonly Block[];
  readonly touches: Touch[] = [];

  /** @param ranges  sorted, not overlapping; at most 4 GiB each once used */
  constructor(ranges: readonly MemoryRange[]) {
    this.#blocks = ranges.map(({ at, sizeBytes }) => ({ at, sizeBytes, bytes: null }));
  }

  get sizeBytes(): number {
    return this.#blocks.reduce((sum, block) => sum + block.sizeBytes, 0);
  }

  view(at: GuestAddress, sizeBytes: number): Uint8Array {
    const block = this.#blocks.find((one) => one.at <= at && at + sizeBytes <= one.at + one.sizeBytes);
    if (!block || sizeBytes < 1)
      throw new RangeError(`${sizeBytes} bytes at 0x${at.toString(16)} are not within one range of memory`);
    block.bytes ??= new Uint8Array(block.sizeBytes);
    return block.bytes.subarray(at - block.at, at - block.at + sizeBytes);
  }

  write(at: GuestAddress, bytes: Uint8Array): void {
    this.view(at, bytes.length).set(bytes);
  }

  read(at: GuestAddress, sizeBytes: number): Uint8Array {
    return this.view(at, sizeBytes).slice();
  }

  touched(at: GuestAddress, sizeBytes: number): void {
    this.touches.push({ at, sizeBytes });
  }
}

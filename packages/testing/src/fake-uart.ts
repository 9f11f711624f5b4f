// A serial port with bounded rings in both directions, like a native one.

import type { Uart } from "@ringzero/api";

const RING_BYTES = 4096;

export class FakeUart implements Uart {
  #output: number[] = [];
  #input: number[] = [];

  read(into: Uint8Array): number {
    const taken = this.#output.splice(0, into.length);
    into.set(taken);
    return taken.length;
  }

  write(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, RING_BYTES - this.#input.length);
    this.#input.push(...taken);
    return taken.length;
  }

  reclaim(): Uint8Array {
    return Uint8Array.from(this.#input.splice(0));
  }

  /** The guest's side: put as many bytes as fit. */
  guestWrite(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, RING_BYTES - this.#output.length);
    this.#output.push(...taken);
    return taken.length;
  }

  /** The guest's side: take a line with its end, or null while there is none. */
  guestReadLine(): Uint8Array | null {
    const end = this.#input.findIndex((byte) => byte === 0x0a || byte === 0x0d);
    return end < 0 ? null : Uint8Array.from(this.#input.splice(0, end + 1));
  }
}

// A serial port of a machine that can move: the bytes under way in either direction belong to the machine, not to a backend.
// What must stay true: no byte is lost, none is repeated, and their order stays.

import type { Uart } from "@ringzero/api";

const CHUNK_BYTES = 64 * 1024;
const NOTHING = new Uint8Array(0);

export class MovableUart implements Uart {
  #uart: Uart;
  /** Output that was read ahead of the reader. */
  #output: Uint8Array = NOTHING;
  /** Input that was taken back. */
  #input: Uint8Array = NOTHING;
  #held = false;

  constructor(uart: Uart) {
    this.#uart = uart;
  }

  read(into: Uint8Array): number {
    if (this.#held) return 0;
    if (this.#output.length === 0) return this.#uart.read(into);
    const count = Math.min(into.length, this.#output.length);
    into.set(this.#output.subarray(0, count));
    this.#output = this.#output.subarray(count);
    return count;
  }

  write(bytes: Uint8Array): number {
    if (this.#held) return 0;
    this.#offerInput();
    return this.#input.length > 0 ? 0 : this.#uart.write(bytes);
  }

  reclaim(): Uint8Array {
    const input = joined(this.#uart.reclaim(), this.#input);
    this.#input = NOTHING;
    return input;
  }

  /**
   * Take nothing, give nothing, until `moveTo` or `release`. The transmitter is emptied first: a full ring would let the UART go on
   * when it is read, after its state was saved.
   */
  hold(): void {
    this.#held = true;
    this.collect();
  }

  /** Read ahead what the guest wrote. */
  collect(): void {
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (let count = this.#uart.read(chunk); count > 0; count = this.#uart.read(chunk)) {
      this.#output = joined(this.#output, chunk.subarray(0, count));
    }
  }

  /** Go on over the serial port of another VM. */
  moveTo(uart: Uart): void {
    this.#input = joined(this.#uart.reclaim(), this.#input);
    this.#uart = uart;
    this.release();
  }

  release(): void {
    this.#held = false;
    this.#offerInput();
  }

  #offerInput(): void {
    if (this.#input.length > 0) this.#input = this.#input.subarray(this.#uart.write(this.#input));
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (second.length === 0) return first;
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

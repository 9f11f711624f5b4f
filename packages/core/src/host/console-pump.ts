// Moves bytes between the VM's native serial ports and the machine's console. What must stay true: no byte is lost, none is
// repeated, and no more output is under way than the reader granted: a slow reader slows its guest, not the host's memory.

import type { Vm } from "@ringzero/api";
import { CONSOLE_WINDOW_BYTES, type HostEvent } from "./machine-plan.js";

const CHUNK_BYTES = 64 * 1024;
const GATHER_MS = 2; // output that keeps coming goes in few large pieces: one message a byte would drown the embedder's thread
const RETRY_MS = 2; // the contract has no "room again" event; a person does not notice, a paste of 64 KiB takes its time

interface PendingInput {
  bytes: Uint8Array;
  readonly done: () => void;
}

export class ConsolePump {
  readonly #credit: number[];
  readonly #input: PendingInput[][];
  readonly #chunk = new Uint8Array(CHUNK_BYTES);
  readonly #drainedAt: number[];
  readonly #gathering: (NodeJS.Timeout | null)[];
  #retry: NodeJS.Timeout | null = null;

  constructor(
    readonly vm: Vm,
    readonly emit: (event: HostEvent) => void,
  ) {
    this.#credit = vm.uarts.map(() => CONSOLE_WINDOW_BYTES);
    this.#input = vm.uarts.map(() => []);
    this.#drainedAt = vm.uarts.map(() => 0);
    this.#gathering = vm.uarts.map(() => null);
    vm.on("uart-output", ({ index }) => this.#gather(index));
  }

  grant(port: number, bytes: number): void {
    if (this.#credit[port] === undefined) return;
    const withheld = this.#credit[port] <= 0;
    this.#credit[port] += bytes;
    if (withheld) this.#gather(port);
  }

  /** Send what is left, granted or not: the run is over. */
  flush(): void {
    for (const port of this.vm.uarts.keys()) this.#drain(port, true);
  }

  /** Resolves when the port took all of it, or on `stop`. */
  write(port: number, bytes: Uint8Array): Promise<void> {
    const queue = this.#input[port];
    if (!queue) return Promise.reject(new RangeError(`the machine has no serial port ${port}`));
    return new Promise((done) => {
      queue.push({ bytes, done });
      this.#feed();
    });
  }

  /** Forget input that waits. */
  stop(): void {
    if (this.#retry) clearTimeout(this.#retry);
    this.#retry = null;
    for (const [port, timer] of this.#gathering.entries()) {
      if (timer) clearTimeout(timer);
      this.#gathering[port] = null;
    }
    for (const queue of this.#input) for (const { done } of queue.splice(0)) done();
  }

  /** Drain now, or a moment later when that was just done. */
  #gather(port: number): void {
    if (this.#gathering[port]) return;
    if (performance.now() - this.#drainedAt[port]! >= GATHER_MS) this.#drain(port, false);
    else {
      this.#gathering[port] = setTimeout(() => {
        this.#gathering[port] = null;
        this.#drain(port, false);
      }, GATHER_MS);
    }
  }

  #drain(port: number, all: boolean): void {
    this.#drainedAt[port] = performance.now();
    const uart = this.vm.uarts[port];
    if (!uart) return;
    while (all || this.#credit[port]! > 0) {
      const room = all ? CHUNK_BYTES : Math.min(CHUNK_BYTES, this.#credit[port]!);
      const count = uart.read(this.#chunk.subarray(0, room));
      if (count === 0) return;
      this.#credit[port]! -= count;
      this.emit({ kind: "console", port, bytes: this.#chunk.slice(0, count) });
    }
  }

  #feed(): void {
    if (this.#retry) return;
    let waiting = false;
    for (const [port, queue] of this.#input.entries()) {
      for (let next = queue[0]; next; next = queue[0]) {
        next.bytes = next.bytes.subarray(this.vm.uarts[port]!.write(next.bytes));
        if (next.bytes.length > 0) {
          waiting = true;
          break;
        }
        queue.shift();
        next.done();
      }
    }
    if (!waiting) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#feed();
    }, RETRY_MS);
  }
}

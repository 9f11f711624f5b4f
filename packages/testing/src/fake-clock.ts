// A clock that goes only when it is told to.

import type { Claim, Clock } from "@ringzero/api";

interface Alarm {
  readonly dueNs: bigint;
  readonly callback: () => void;
}

export class FakeClock implements Clock {
  #nowNs = 0n;
  readonly #startMs: number;
  readonly #alarms = new Set<Alarm>();

  /** @param startMs  wall clock at the beginning, milliseconds since the epoch */
  constructor(startMs = 0) {
    this.#startMs = startMs;
  }

  nowNs(): bigint {
    return this.#nowNs;
  }

  wallMs(): number {
    return this.#startMs + Number(this.#nowNs / 1_000_000n);
  }

  after(delayMs: number, callback: () => void): Claim {
    const alarm = { dueNs: this.#nowNs + BigInt(Math.round(delayMs * 1e6)), callback };
    this.#alarms.add(alarm);
    return { release: () => void this.#alarms.delete(alarm) };
  }

  /** Alarms that have not gone off. */
  get pending(): number {
    return this.#alarms.size;
  }

  /** Let time pass; alarms go off in the order in which they are due, each at its time. */
  advance(ms: number): void {
    const untilNs = this.#nowNs + BigInt(Math.round(ms * 1e6));
    for (;;) {
      const [next] = [...this.#alarms].filter(({ dueNs }) => dueNs <= untilNs).sort((a, b) => (a.dueNs < b.dueNs ? -1 : 1));
      if (!next) break;
      this.#alarms.delete(next);
      this.#nowNs = next.dueNs;
      next.callback();
    }
    this.#nowNs = untilNs;
  }
}

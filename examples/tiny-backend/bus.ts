// Where the tiny processor meets the world: memory, and exits for all that is none. Doorbells take writes out of the exits.
// What must stay true: each access of the guest is one exit, or one for each piece where it crosses a page or has three bytes.

import type { Doorbell, DoorbellMatch, ExitHandler } from "@ringzero/api";
import type { TinyMemory } from "./memory.js";

const PAGE_BYTES = 4096;
const TOP = 2 ** 52;

export type Width = 1 | 2 | 4;

interface Bell {
  readonly match: DoorbellMatch;
  readonly ring: () => void;
  due: boolean;
}

export class Bus {
  readonly #bells = new Set<Bell>();

  constructor(
    readonly memory: TinyMemory,
    readonly handler: ExitHandler,
  ) {}

  // #region exits
  read(at: number, width: number): number {
    let value = 0;
    for (const piece of pieces(this.memory, at, width)) {
      const found = this.memory.load(piece.at) ?? this.handler({ kind: "mmio-read", vcpu: 0, ...piece });
      const cut = found === undefined ? 2 ** (8 * piece.size) - 1 : Number(BigInt.asUintN(8 * piece.size, BigInt(found)));
      value += cut * 2 ** (8 * (piece.at - at));
    }
    return value;
  }

  write(at: number, width: number, value: number): void {
    for (const piece of pieces(this.memory, at, width)) {
      const part = Math.floor(value / 2 ** (8 * (piece.at - at))) % 2 ** (8 * piece.size);
      if (this.memory.store(piece.at, part) || this.#rings(piece, part)) continue;
      this.handler({ kind: "mmio-write", vcpu: 0, ...piece, value: BigInt(part) });
    }
  }

  in(port: number, size: Width): number {
    const answer = this.handler({ kind: "port-in", vcpu: 0, port, size });
    return Number(BigInt.asUintN(8 * size, BigInt(answer ?? -1)));
  }

  out(port: number, size: Width, value: number): void {
    if (!this.#rings({ port, size }, value)) this.handler({ kind: "port-out", vcpu: 0, port, size, value });
  }
  // #endregion exits

  // #region doorbells
  /** @throws RangeError when nothing could ring it */
  doorbell(match: DoorbellMatch, ring: () => void): Doorbell {
    const [at, end, widths] = "port" in match ? [match.port, 0x10000, [1, 2, 4]] : [match.at, TOP, [1, 2, 4, 8]];
    if (!Number.isInteger(at) || at < 0 || at >= end || !widths.includes(match.size))
      throw new RangeError(`no write of ${match.size} bytes at ${at} can ring a doorbell`);
    const bell: Bell = { match, ring, due: false };
    this.#bells.add(bell);
    return { dispose: () => void this.#bells.delete(bell) };
  }

  /** A write that a doorbell takes: it rings when the device's thread is next free, once however often it was written. */
  #rings(write: DoorbellMatch, value: number): boolean {
    for (const bell of this.#bells) {
      if (place(bell.match) !== place(write) || bell.match.size !== write.size) continue;
      if (bell.match.value !== undefined && bell.match.value !== value) continue;
      if (!bell.due) {
        bell.due = true;
        setImmediate(() => {
          bell.due = false;
          if (this.#bells.has(bell)) bell.ring();
        });
      }
      return true;
    }
    return false;
  }
  // #endregion doorbells
}

function place(match: DoorbellMatch): string {
  return "port" in match ? `port ${match.port}` : `memory ${match.at}`;
}

/** Bytes of memory one by one; of devices in the largest pieces that an exit has, none across a page end. */
function pieces(memory: TinyMemory, at: number, width: number): readonly { readonly at: number; readonly size: Width }[] {
  const found: { at: number; size: Width }[] = [];
  for (let done = 0; done < width; ) {
    const from = at + done;
    const room = Math.min(width - done, PAGE_BYTES - (from % PAGE_BYTES));
    const size = memory.load(from) !== null ? 1 : room >= 4 ? 4 : room >= 2 ? 2 : 1;
    found.push({ at: from, size });
    done += size;
  }
  return found;
}

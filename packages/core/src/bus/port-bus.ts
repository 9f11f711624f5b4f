// The I/O port space of one machine: who owns which port, and how an access becomes calls.
// What must stay true: a port has one owner; an unclaimed read is all ones and an unclaimed write does nothing.

import { type Claim, type PortHandler, type PortRange, RingzeroError } from "@ringzero/api";
import { hex } from "./hex.js";

const PORTS = 0x10000;

interface PortClaim {
  readonly owner: string;
  readonly first: number;
  readonly end: number;
  readonly handler: PortHandler;
  readonly sizes: readonly number[];
}

/** Who was being called when a handler threw. */
export type OwnerGuard = <T>(owner: string, call: () => T, otherwise: T) => T;

export class PortSpace {
  readonly #claims = new Map<number, PortClaim>();

  /** @param guard  calls a device's code; decides what a throw means */
  constructor(readonly guard: OwnerGuard) {}

  /**
   * @param owner  id of the device, for messages
   * @throws RangeError outside 0..0xffff
   * @throws RingzeroError `BUS_OVERLAP`
   */
  claim(owner: string, { first, count }: PortRange, handler: PortHandler): Claim {
    if (!Number.isInteger(first) || !Number.isInteger(count) || first < 0 || count < 1 || first + count > PORTS) {
      throw new RangeError(`${owner}: ports ${first}..${first + count - 1} are not within 0..0xffff`);
    }
    for (let port = first; port < first + count; port += 1) {
      const other = this.#claims.get(port);
      if (!other) continue;
      throw new RingzeroError(
        "BUS_OVERLAP",
        `${owner} claims ports ${hex(first)}..${hex(first + count - 1)}, but ${other.owner} has ${hex(other.first)}..${hex(other.end - 1)}; give one of them another port`,
      );
    }
    const claim: PortClaim = { owner, first, end: first + count, handler, sizes: handler.sizes ?? [1] };
    for (let port = first; port < claim.end; port += 1) this.#claims.set(port, claim);
    return {
      release: () => {
        for (let port = first; port < claim.end; port += 1) if (this.#claims.get(port) === claim) this.#claims.delete(port);
      },
    };
  }

  read(port: number, size: 1 | 2 | 4): number {
    const claim = this.#claims.get(port);
    if (claim && this.#whole(claim, port, size)) {
      const value = this.guard(claim.owner, () => claim.handler.read?.(port, size) ?? -1, -1);
      return size === 4 ? value >>> 0 : value & (2 ** (8 * size) - 1);
    }
    if (size === 1) return 0xff;
    const half = (size / 2) as 1 | 2;
    const low = this.read(port, half);
    return (low + this.read((port + half) & 0xffff, half) * 2 ** (8 * half)) >>> 0;
  }

  write(port: number, size: 1 | 2 | 4, value: number): void {
    const claim = this.#claims.get(port);
    if (claim && this.#whole(claim, port, size)) {
      this.guard(claim.owner, () => claim.handler.write?.(port, value, size), undefined);
      return;
    }
    if (size === 1) return;
    const half = (size / 2) as 1 | 2;
    this.write(port, half, value & (2 ** (8 * half) - 1));
    this.write((port + half) & 0xffff, half, value >>> (8 * half));
  }

  #whole(claim: PortClaim, port: number, size: number): boolean {
    return size === 1 || (claim.sizes.includes(size) && port + size <= claim.end);
  }
}

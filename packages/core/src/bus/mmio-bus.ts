// The guest-physical addresses that are not memory: who owns which range, and how an access becomes calls.
// What must stay true: a byte has one owner, and none of them is RAM; an unclaimed read is all ones and an unclaimed write does nothing.

import { type Claim, type MemoryRange, type MmioHandler, type MmioRange, RingzeroError } from "@ringzero/api";
import { hex } from "./hex.js";
import type { OwnerGuard } from "./port-bus.js";

type Size = 1 | 2 | 4 | 8;

interface MmioClaim {
  readonly owner: string;
  readonly at: number;
  readonly end: number;
  readonly handler: MmioHandler;
  readonly sizes: readonly Size[];
}

const DEFAULT_SIZES: readonly Size[] = [1, 2, 4];

export class MmioSpace {
  /** Sorted by address. */
  readonly #claims: MmioClaim[] = [];
  #last: MmioClaim | null = null; // a device is polled many times in a row

  constructor(
    readonly memory: readonly MemoryRange[],
    readonly guard: OwnerGuard,
  ) {}

  /**
   * @throws RangeError when empty or not within 52 bits
   * @throws RingzeroError `BUS_OVERLAP`
   */
  claim(owner: string, { at, sizeBytes }: MmioRange, handler: MmioHandler): Claim {
    const end = at + sizeBytes;
    if (!Number.isSafeInteger(at) || !Number.isSafeInteger(sizeBytes) || at < 0 || sizeBytes < 1 || end > 2 ** 52) {
      throw new RangeError(`${owner}: ${sizeBytes} bytes at ${hex(at)} are no range of guest-physical addresses`);
    }
    const what = `${owner} claims addresses ${hex(at)}..${hex(end - 1)}`;
    const ram = this.memory.find((range) => at < range.at + range.sizeBytes && range.at < end);
    if (ram)
      throw new RingzeroError(
        "BUS_OVERLAP",
        `${what}, but memory is at ${hex(ram.at)}..${hex(ram.at + ram.sizeBytes - 1)}; use an address that is not memory`,
      );
    const other = this.#claims.find((one) => at < one.end && one.at < end);
    if (other)
      throw new RingzeroError(
        "BUS_OVERLAP",
        `${what}, but ${other.owner} has ${hex(other.at)}..${hex(other.end - 1)}; give one of them another address`,
      );
    const claim: MmioClaim = { owner, at, end, handler, sizes: [...(handler.sizes ?? DEFAULT_SIZES)].sort((a, b) => a - b) };
    this.#claims.push(claim);
    this.#claims.sort((a, b) => a.at - b.at);
    return {
      release: () => {
        const index = this.#claims.indexOf(claim);
        if (index >= 0) this.#claims.splice(index, 1);
        this.#last = null;
      },
    };
  }

  read(at: number, size: Size): bigint {
    const claim = this.#find(at);
    if (claim && at + size <= claim.end) {
      if (claim.sizes.includes(size)) return this.#call(claim, at, size);
      const unit = enclosing(claim.sizes, size);
      if (unit) {
        // Narrower than the device knows: read the enclosing unit and cut the bytes out.
        const start = at - ((at - claim.at) % unit);
        if (at + size <= start + unit && start + unit <= claim.end) {
          return BigInt.asUintN(8 * size, this.#call(claim, start, unit) >> BigInt(8 * (at - start)));
        }
      }
    }
    if (size === 1) return 0xffn;
    const half = (size / 2) as Size;
    return this.read(at, half) | (this.read(at + half, half) << BigInt(8 * half));
  }

  write(at: number, size: Size, value: bigint): void {
    const claim = this.#find(at);
    if (claim && at + size <= claim.end) {
      if (claim.sizes.includes(size)) {
        this.guard(claim.owner, () => claim.handler.write?.(at - claim.at, value, size), undefined);
        return;
      }
      if (enclosing(claim.sizes, size) && !claim.sizes.some((one) => one < size)) return;
    }
    if (size === 1) return;
    const half = (size / 2) as Size;
    this.write(at, half, BigInt.asUintN(8 * half, value));
    this.write(at + half, half, value >> BigInt(8 * half));
  }

  #call(claim: MmioClaim, at: number, size: Size): bigint {
    const value = this.guard<number | bigint>(claim.owner, () => claim.handler.read?.(at - claim.at, size) ?? -1, -1);
    return BigInt.asUintN(8 * size, BigInt(value));
  }

  #find(at: number): MmioClaim | null {
    const last = this.#last;
    if (last && last.at <= at && at < last.end) return last;
    const found = this.#claims.find((claim) => claim.at <= at && at < claim.end) ?? null;
    this.#last = found;
    return found;
  }
}

/** The smallest width larger than `size`, when no smaller one exists to split into. */
function enclosing(sizes: readonly Size[], size: Size): Size | null {
  if (sizes.some((one) => one < size)) return null;
  return sizes.find((one) => one > size) ?? null;
}

// Doorbell slots of one machine: which are taken, and whom to call when one rings.

import { type Doorbell, type DoorbellMatch, RingzeroError } from "@ringzero/api";
import type { NativeVm } from "./native-vm.js";

const MAX_DOORBELLS = 256; // shared/layout.h
const MAX_ADDRESS = 2 ** 52;

export class Doorbells {
  readonly #native: NativeVm;
  readonly #rings: ((() => void) | undefined)[] = [];

  constructor(native: NativeVm) {
    this.#native = native;
  }

  /**
   * @throws RangeError when the match cannot be: a port above FFFFh, a size that no access has
   * @throws RingzeroError `VM_UNSUPPORTED` when all 256 are in use
   */
  add(match: DoorbellMatch, ring: () => void): Doorbell {
    const mmio = "at" in match;
    const address = mmio ? match.at : match.port;
    check(match, mmio, address);
    let slot = this.#rings.indexOf(undefined);
    if (slot < 0) slot = this.#rings.length;
    if (slot >= MAX_DOORBELLS) {
      throw new RingzeroError("VM_UNSUPPORTED", `a machine has at most ${MAX_DOORBELLS} doorbells; dispose one first`);
    }
    this.#rings[slot] = ring;
    this.#native.setDoorbell(slot, mmio ? 1 : 0, match.size, address, match.value === undefined ? 0 : 1, match.value ?? 0);
    let open = true;
    return {
      dispose: (): void => {
        if (!open) return;
        open = false;
        this.#native.clearDoorbell(slot);
        this.#rings[slot] = undefined;
      },
    };
  }

  ring(slot: number): void {
    this.#rings[slot]?.(); // a ring under way when its doorbell was disposed finds nobody
  }
}

function check(match: DoorbellMatch, mmio: boolean, address: number): void {
  const sizes: readonly number[] = mmio ? [1, 2, 4, 8] : [1, 2, 4];
  if (!sizes.includes(match.size)) throw new RangeError(`doorbell size ${match.size} is none of ${sizes.join(", ")}`);
  if (!Number.isInteger(address) || address < 0 || address >= (mmio ? MAX_ADDRESS : 0x10000)) {
    throw new RangeError(`doorbell address ${address} is not ${mmio ? "a guest-physical address" : "a port"}`);
  }
  if (match.value !== undefined && (!Number.isSafeInteger(match.value) || match.value < 0)) {
    throw new RangeError(`doorbell value ${match.value} is not an unsigned integer below 2^53`);
  }
}

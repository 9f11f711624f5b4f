// Interrupt inputs shared by devices: a line is asserted while any of its holders asserts it.

import type { InterruptLine, IrqController } from "@ringzero/api";

const LINES = 24;

export class InterruptLines {
  readonly #asserting = new Map<number, Set<object>>();

  constructor(readonly controller: IrqController) {}

  /** @param gsi  0..23 @throws RangeError otherwise */
  line(gsi: number): InterruptLine & { release(): void } {
    if (!Number.isInteger(gsi) || gsi < 0 || gsi >= LINES)
      throw new RangeError(`interrupt line ${gsi} is not within 0..${LINES - 1}`);
    let holders = this.#asserting.get(gsi);
    if (!holders) this.#asserting.set(gsi, (holders = new Set()));
    const shared = holders;
    const me = {};
    const set = (asserted: boolean) => {
      const before = shared.size > 0;
      if (asserted) shared.add(me);
      else shared.delete(me);
      if (before !== shared.size > 0) this.controller.setLine(gsi, asserted);
    };
    return {
      gsi,
      set,
      pulse: () => {
        set(true);
        set(false);
      },
      release: () => set(false),
    };
  }

  /** Deassert everything, as a reset of the machine does. */
  reset(): void {
    for (const [gsi, holders] of this.#asserting) {
      if (holders.size > 0) this.controller.setLine(gsi, false);
      holders.clear();
    }
  }
}

// Real time for devices.

import type { Claim, Clock } from "@ringzero/api";

export const SYSTEM_CLOCK: Clock = {
  nowNs: () => process.hrtime.bigint(),
  wallMs: () => Date.now(),
  after(delayMs: number, callback: () => void): Claim {
    const due = process.hrtime.bigint() + BigInt(Math.ceil(delayMs * 1e6));
    let timer: NodeJS.Timeout;
    // Node's timers may fire up to a millisecond early; a device's must not.
    const arm = () => {
      const leftNs = due - process.hrtime.bigint();
      if (leftNs <= 0n) callback();
      else timer = setTimeout(arm, Math.ceil(Number(leftNs) / 1e6));
    };
    timer = setTimeout(arm, Math.max(0, Math.ceil(delayMs)));
    return { release: () => clearTimeout(timer) };
  },
};

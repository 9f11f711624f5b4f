// A guest that spins does not disturb the embedder's main thread: a 1 ms interval keeps the pace that it has without a guest.

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { guestImages, LinuxGuest } from "./linux-guest.js";

/** Ticks of a 1 ms interval in one second, and the longest pause between two. */
async function pace(): Promise<{ ticks: number; longestMs: number }> {
  let ticks = 0;
  let longestMs = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longestMs = Math.max(longestMs, now - last);
    last = now;
    ticks += 1;
  }, 1);
  await delay(1000);
  clearInterval(timer);
  return { ticks, longestMs };
}

describe("the embedder's main thread", function () {
  this.timeout(120_000);
  this.retries(2); // the host is shared: one bad second is not the guest's doing
  let guest: LinuxGuest;

  before(async function () {
    const images = await guestImages();
    if (!images) return this.skip(); // no apt and no network
    guest = await LinuxGuest.boot(images);
  });
  after(() => guest?.dispose());

  it("keeps a 1 ms interval going while the guest spins", async () => {
    const quiet = await pace();
    await guest.machine.console().write("while :; do :; done\n");
    const busy = await pace();
    await guest.machine.console().write("\x03");
    assert.ok(busy.ticks >= quiet.ticks * 0.7, `${busy.ticks} ticks a second with the guest, ${quiet.ticks} without`);
    assert.ok(busy.longestMs < 100, `the longest pause was ${busy.longestMs.toFixed(1)} ms`);
  });

  it("keeps it going while the guest prints as fast as it can", async () => {
    const quiet = await pace();
    await guest.machine.console().write("yes\n");
    const busy = await pace();
    await guest.machine.console().write("\x03");
    assert.ok(busy.ticks >= quiet.ticks * 0.4, `${busy.ticks} ticks a second with the guest, ${quiet.ticks} without`);
  });
});

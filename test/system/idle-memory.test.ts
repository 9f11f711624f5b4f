// A guest that has gone idle gives back the memory of code that it ran once, while it booted, and runs on as before.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { guestImages, LinuxGuest } from "./linux-guest.js";

const CODE_LIMIT_KIB = 8 * 1024;
const PATIENCE_MS = 20_000;

/** Resident KiB of translated code in the engines that this process started. */
function codeKiB(): number {
  let sum = 0;
  for (const task of readdirSync("/proc/self/task")) {
    const children = readFileSync(`/proc/self/task/${task}/children`, "utf8").trim();
    for (const pid of children ? children.split(" ") : []) {
      const maps = readFileSync(`/proc/${pid}/smaps`, "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
      for (const map of maps) if (/memfd:ringzero-code/.test(map)) sum += Number(/^Pss:\s+(\d+)/m.exec(map)![1]);
    }
  }
  return sum;
}

describe("an idle Linux guest", function () {
  this.timeout(120_000);
  let guest: LinuxGuest;

  before(async function () {
    const images = await guestImages();
    if (!images) this.skip(); // no apt and no network
    guest = await LinuxGuest.boot(images);
  });
  after(async () => guest?.dispose());

  it("gives back the memory of the code that booted it, and goes on", async () => {
    const giveUp = Date.now() + PATIENCE_MS;
    while (codeKiB() > CODE_LIMIT_KIB && Date.now() < giveUp) await delay(250);
    const kib = codeKiB();
    assert.ok(kib > 0 && kib <= CODE_LIMIT_KIB, `${kib} KiB of translated code`);
    assert.equal((await guest.shell("echo $((6 * 7))")).trim(), "42");
  });
});

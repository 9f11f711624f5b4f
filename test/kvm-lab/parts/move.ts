// A stock Linux goes from one engine to the other and back, again and again, while it computes: hardware virtualization and the translator
// hand it over in the middle, and the sums come out as on the host.

import assert from "node:assert/strict";
import { guestImages, LinuxGuest } from "../../system/linux-guest.js";
import { LAB_PROFILE } from "../lab-lacks.js";
import type { Reporter } from "../part.js";

const WORK = "for i in 1 2 3 4; do seq 20000 | sha256sum; done";
const MOST_MOVES = 40;

export async function move(report: Reporter): Promise<void> {
  const images = (await guestImages())!;
  const guest = await LinuxGuest.boot(images, { backend: "kvm", memory: "256MiB", cpuProfile: LAB_PROFILE });
  try {
    const expected = await guest.onHost(WORK);
    let done = false;
    let moves = 0;
    const mover = (async () => {
      for (; !done && moves < MOST_MOVES; moves += 1) {
        await new Promise((later) => setTimeout(later, (moves * 37) % 200));
        await guest.machine.moveTo(moves % 2 === 0 ? "bt" : "kvm");
      }
    })();
    const output = await guest.shell(WORK, 600_000).finally(() => (done = true));
    await mover;
    assert.equal(output, expected);
    assert.ok(moves >= 2, `it moved ${moves} times`);
    assert.equal(await guest.shell("dmesg | grep -E 'BUG:|Oops|Call Trace' || true"), "");
    report.passed("Linux, kvm to bt and back", `${moves} moves while it computed`);
  } finally {
    await guest.dispose();
  }
}

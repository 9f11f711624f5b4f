// A stock Linux goes from one engine to the other and back, again and again, while it computes: hardware virtualization and the translator
// hand it over in the middle, at random points, and the sums come out as on the host.

import assert from "node:assert/strict";
import { guestImages } from "../../system/linux-guest.js";
import { bootLabGuest } from "../lab-guest.js";
import type { Reporter } from "../part.js";

const ROUND = "seq 2000 | sha256sum";
/** By the guest's own clock, which stands still while it moves. */
const COMPUTES_SECONDS = 30;
const WORK = `end=$(($(cut -d. -f1 /proc/uptime) + ${COMPUTES_SECONDS})); while [ $(cut -d. -f1 /proc/uptime) -lt $end ]; do ${ROUND}; done`;
const FEWEST_MOVES = 20;
const LONGEST_STAY_MS = 400;

export async function move(report: Reporter): Promise<void> {
  const images = (await guestImages())!;
  for (const cpus of [1, 2]) {
    const guest = await bootLabGuest(images, cpus);
    try {
      const expected = await guest.onHost(ROUND);
      let done = false;
      const working = guest.shell(WORK).finally(() => (done = true));
      working.catch(() => undefined); // awaited below, unless a move fails first
      const pausesMs: number[] = [];
      while (!done || pausesMs.length % 2 === 1) {
        await new Promise((later) => setTimeout(later, Math.random() * LONGEST_STAY_MS));
        const { pausedMs } = await guest.machine.moveTo(pausesMs.length % 2 === 0 ? "bt" : "kvm");
        pausesMs.push(pausedMs);
      }
      const lines = (await working).trim().split("\n");
      assert.deepEqual([...new Set(lines)], [expected.trim()], "a sum is wrong");
      const moves = pausesMs.length;
      assert.ok(moves >= FEWEST_MOVES, `it moved ${moves} times, not ${FEWEST_MOVES}`);
      assert.equal(await guest.shell("dmesg | grep -E 'BUG:|Oops|Call Trace|soft lockup' || true"), "");
      const median = pausesMs.sort((a, b) => a - b)[moves >> 1]!;
      report.passed(
        `Linux with ${cpus} vCPU${cpus === 1 ? "" : "s"}, kvm to bt and back`,
        `${moves} moves while it computed ${lines.length} sums; it stood still for ${median.toFixed(0)} ms each, in the median`,
      );
    } finally {
      await guest.dispose();
    }
  }
}

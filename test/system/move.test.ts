// Running guests that move between engines: a stock Linux at work, with one and with several processors, at points in time that the
// guest does not choose. Whatever it computes must come out as on the host, and its clock, console and processors must go on.

import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import type { DebianImages } from "@ringzero/boot";
import type { Machine } from "@ringzero/core";
import { guestImages, LinuxGuest } from "./linux-guest.js";

/** What a mover did. */
interface Moves {
  count: number;
  longestPauseMs: number;
}

/**
 * Move the machine again and again, a little later each time by a number that repeats from run to run, while `work` is under way.
 * @param backends  names to go through by turns
 */
async function movedDuring<T>(
  machine: Machine,
  backends: readonly string[],
  most: number,
  work: Promise<T>,
): Promise<[T, Moves]> {
  const moves: Moves = { count: 0, longestPauseMs: 0 };
  let done = false;
  let seed = 12345;
  const mover = (async () => {
    while (!done && moves.count < most) {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      await new Promise((later) => setTimeout(later, (seed >> 16) % 25));
      const { pausedMs } = await machine.moveTo(backends[moves.count % backends.length]!);
      moves.count += 1;
      moves.longestPauseMs = Math.max(moves.longestPauseMs, pausedMs);
    }
  })();
  const result = await work.finally(() => (done = true));
  await mover;
  return [result, moves];
}

const sum = "seq 300000 | md5sum; seq 1 7 900000 | sha256sum";
const sumsAtOnce = (jobs: number): string =>
  `for i in $(seq ${jobs}); do (seq 100000 | sha256sum > /tmp/sum$i) & done; wait; cat /tmp/sum* | sort -u`;

for (const { cpus, wanted, host } of [
  { cpus: 1, wanted: 100, host: "worker" },
  { cpus: 1, wanted: 20, host: "inline" },
  { cpus: 2, wanted: 50, host: "worker" },
  { cpus: 4, wanted: 20, host: "worker" },
] as const) {
  describe(`Linux on ${cpus} processor${cpus > 1 ? "s" : ""}, hosted ${host}, moved from engine to engine`, function () {
    this.timeout(600_000);
    let images: DebianImages | null;
    let guest: LinuxGuest | undefined;

    before(async function () {
      images = await guestImages();
      if (images === null) this.skip();
      guest = await LinuxGuest.boot(images, { cpus, host, memory: "256MiB" });
    });
    after(async () => guest?.dispose());

    it("computes what the host computes", async () => {
      const expected = await guest!.onHost(sum);
      for (let count = 0; count < wanted; ) {
        const [got, moves] = await movedDuring(guest!.machine, ["bt"], 200, guest!.shell(sum, 300_000));
        assert.equal(got, expected);
        assert.ok(moves.count > 0, "it did not move while it computed");
        count += moves.count;
      }
    });

    it("works on all processors at once, and finishes with the same result everywhere", async () => {
      const expected = await guest!.onHost("seq 100000 | sha256sum");
      const [got, moves] = await movedDuring(guest!.machine, ["bt"], 200, guest!.shell(sumsAtOnce(2 * cpus), 300_000));
      assert.equal(got, expected);
      assert.ok(moves.count >= 3, `it moved ${moves.count} times`);
    });

    it("sleeps as long as it wanted to, and its clock never goes back", async () => {
      const watch =
        "a=$(cut -d. -f1 /proc/uptime); for i in 1 2 3 4 5 6; do sleep 0.2; b=$(cut -d. -f1 /proc/uptime); [ $b -ge $a ] || exit 9; a=$b; done; echo ok";
      const [got, moves] = await movedDuring(guest!.machine, ["bt"], 200, guest!.shell(watch, 120_000));
      assert.equal(got.trim(), "ok");
      assert.ok(moves.count >= 3, `it moved ${moves.count} times`);
    });

    it("prints every line once and in order, and hears every line typed, while it moves", async () => {
      const expected = await guest!.onHost("seq 20000");
      const [got] = await movedDuring(guest!.machine, ["bt"], 200, guest!.shell("seq 20000", 300_000));
      assert.equal(got, expected);
      const typed = async () => {
        for (let i = 0; i < 20; i += 1) assert.equal((await guest!.shell(`echo line ${i}`)).trim(), `line ${i}`);
      };
      await movedDuring(guest!.machine, ["bt"], 200, typed());
    });

    it("complains of nothing in its log", async () => {
      const log = await guest!.shell("dmesg | grep -E 'BUG:|Oops|lockup|stall|Call Trace|unstable|WARNING:' || true");
      assert.equal(log.trim(), "");
    });
  });
}

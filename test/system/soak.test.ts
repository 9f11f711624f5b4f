// A bounded slice of the soak suite: a few of its rounds, most in a stress mode of the engine. `pnpm soak` goes on for as long as one likes.

import assert from "node:assert/strict";
import { modeNamed } from "../soak/modes.js";
import { Random } from "../soak/random.js";
import { runRound } from "../soak/round.js";
import { workloadNamed } from "../soak/workloads.js";
import { guestImages } from "./linux-guest.js";

const ROUNDS = [
  ["shell", "small-cache", "x86-64-v2", 1],
  ["shell-32bit", "interrupts", "x86-64-v2", 1],
  ["stress-ng", "plain", "host", 2],
] as const;

describe("soak rounds", function () {
  this.timeout(300_000);

  for (const [name, modeName, cpuProfile, cpus] of ROUNDS) {
    it(`${name} gives the right results in the mode ${modeName} on ${cpus} processor(s)`, async function () {
      const images = await guestImages();
      const guest = images && (await workloadNamed(name).prepare(images, cpus, new Random(7)));
      if (!images || !guest) return this.skip();
      const mode = modeNamed(modeName);
      const result = await runRound({ images, guest, mode, cpus, cpuProfile, limitMs: 280_000 });
      assert.equal(result.outcome, "ok", `${result.detail}\n${result.console.slice(-2000)}`);
    });
  }
});

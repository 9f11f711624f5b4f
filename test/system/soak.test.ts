// A bounded slice of the soak suite: a few of its rounds, each in a stress mode of the engine. `pnpm soak` goes on for as long as one likes.

import assert from "node:assert/strict";
import { modeNamed } from "../soak/modes.js";
import { Random } from "../soak/random.js";
import { runRound } from "../soak/round.js";
import { workloadNamed } from "../soak/workloads.js";
import { guestImages } from "./linux-guest.js";

const ROUNDS = [
  ["shell", "small-cache", "x86-64-v2"],
  ["shell-32bit", "flush-all", "x86-64-v2"],
  ["stress-ng", "flush-tlb", "host"],
  ["python", "flush-code", "x86-64-v3"],
] as const;

describe("soak rounds", function () {
  this.timeout(300_000);

  for (const [name, modeName, cpuProfile] of ROUNDS) {
    it(`${name} gives the right results in the mode ${modeName}`, async function () {
      const images = await guestImages();
      const guest = images && (await workloadNamed(name).prepare(images, 1, new Random(7)));
      if (!images || !guest) return this.skip();
      const mode = modeNamed(modeName);
      const result = await runRound({ images, guest, mode, cpus: 1, cpuProfile, limitMs: 280_000 });
      assert.equal(result.outcome, "ok", `${result.detail}\n${result.console.slice(-2000)}`);
    });
  }
});

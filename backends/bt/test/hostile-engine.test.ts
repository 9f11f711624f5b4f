// The engine is trusted less than the host: whatever it writes into shared memory, Node neither crashes nor hangs.

import assert from "node:assert/strict";
import { create, until } from "./scripted-vm.js";

/** A small generator with a seed, so that a failure can be repeated. */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 8;
  };
}

describe("a bt engine that scribbles over the shared memory", () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    it(`does not harm the host (seed ${seed})`, async function () {
      this.timeout(20_000);
      const next = noise(seed);
      let exits = 0;
      const vm = await create("in 0x510 4;print 100;out 0x600 2 1", () => ++exits);
      const witness = await create("in 0x510 4", () => 0);
      try {
        vm.on("uart-output", ({ index }) => {
          assert.ok(index < vm.uarts.length);
          vm.uarts[index]!.read(new Uint8Array(1000));
        });
        let rings = 0;
        vm.doorbell({ port: 0x600, size: 2 }, () => ++rings);
        vm.run();
        await until(() => exits > 10, "exits came");
        const junk = new Uint8Array(4096);
        for (let round = 0; round < 150; ++round) {
          for (let i = 0; i < junk.length; ++i) junk[i] = round % 3 === 0 ? 0xff : next() & 0xff;
          // Everything behind the header: mailboxes, bitmaps, rings, recorder, transfer area, code bitmap.
          vm.nativeForTest.scribble(8192 + (next() % 2 ** 21), junk.subarray(0, 1 + (next() % 4096)));
          vm.interrupts.setLine(5, round % 2 === 0);
          vm.uarts[0]!.write(junk);
          vm.memory.write(next() % 1_000_000, junk);
          await new Promise((resolve) => setImmediate(resolve));
        }
        process.kill(vm.enginePid, "SIGKILL");
        await until(() => vm.nativeForTest.status() !== undefined, "the engine was reaped");
        assert.equal(typeof vm.nativeForTest.status()?.flightRecorder, "string");
      } finally {
        await vm.dispose();
        await witness.dispose();
      }
    });
  }

  it("cannot hang dispose by clearing its wake-up words for ever", async () => {
    const vm = await create("spin");
    vm.run();
    vm.nativeForTest.scribble(8192, new Uint8Array(4096));
    const start = Date.now();
    await vm.dispose();
    assert.ok(Date.now() - start < 2000);
  });
});

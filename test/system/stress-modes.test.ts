// A stock kernel under the translator's stress switches, none of which may change what a guest computes: optimisations
// off, translations and TLB entries dropped at random, the run loop entered at every poll, a code cache that is too small,
// every block checked by the emitted-code verifier, with one processor and with several that link blocks at the same time.
// `pnpm stress` runs more of the same, harsher and with seeds of its own.

import assert from "node:assert/strict";
import { guestImages, LinuxGuest } from "./linux-guest.js";

interface Mode {
  readonly name: string;
  readonly engine: Readonly<Record<string, number | boolean>>;
  /** Default: 1. */
  readonly cpus?: number;
}

/** Each costs a few seconds of one core. */
const MODES: readonly Mode[] = [
  { name: "with every emitted block verified", engine: { verify: true } },
  { name: "with the TLB flushed once in 20 exits", engine: { stressFlushTlb: 20, stressSeed: 1 } },
  { name: "with all code flushed once in 5000 exits", engine: { stressFlushCode: 5000, stressSeed: 2 } },
  { name: "with the run loop entered at every poll", engine: { stressInterrupts: true } },
  { name: "without optimisations", engine: { noOpt: true } },
  { name: "with a code cache of 1 MiB", engine: { codeCacheBytes: 1 << 20 } },
  { name: "on two processors, with every emitted block verified", engine: { verify: true }, cpus: 2 },
  {
    name: "on two processors, with everything dropped at random, at every poll, verified",
    engine: { verify: true, stressFlushTlb: 200, stressFlushCode: 300_000, stressInterrupts: true, stressSeed: 3 },
    cpus: 2,
  },
];

/** For `pnpm stress`: RINGZERO_STRESS=N runs these N times, each time with another seed. */
const HARSH: readonly Mode[] = [
  { name: "with one instruction a block", engine: { maxBlockInsts: 1 } },
  { name: "with the TLB flushed once in 2 exits", engine: { stressFlushTlb: 2 } },
  { name: "with all code flushed once in 500 exits", engine: { stressFlushCode: 500 } },
  {
    name: "with everything dropped at random, at every poll",
    engine: { stressFlushTlb: 20, stressFlushCode: 5000, stressInterrupts: true },
  },
  {
    // A flush drops the code of all processors, so that each pays for the flushes of the others.
    name: "on three processors, with everything dropped at random, at every poll, verified",
    engine: { verify: true, stressFlushTlb: 100, stressFlushCode: 100_000, stressInterrupts: true },
    cpus: 3,
  },
  { name: "with one unoptimised instruction a block, verified", engine: { maxBlockInsts: 1, noOpt: true, verify: true } },
];

const rounds = Number(process.env["RINGZERO_STRESS"] ?? 0);
const firstSeed = rounds > 0 ? Date.now() % 1_000_000 : 0;
const harsh = Array.from({ length: rounds }, (_, n) =>
  HARSH.map(({ name, engine, ...rest }) => ({
    ...rest,
    name: `${name}, seed ${firstSeed + n}`,
    engine: { ...engine, stressSeed: firstSeed + n },
  })),
).flat();

describe("a stock Debian kernel under stress", function () {
  this.timeout(400_000);

  for (const { name, engine, cpus } of [...MODES, ...harsh]) {
    it(`boots, computes and powers off ${name}`, async function () {
      const images = await guestImages();
      if (!images) {
        console.log("      skipped: Debian's kernel and BusyBox are neither cached nor to be fetched");
        this.skip();
      }
      const guest = await LinuxGuest.boot(images, { engine, ...(cpus === undefined ? {} : { cpus }) });
      try {
        const line = "seq 1 2000 | awk '{ s += $1 * $1; x += 1 / $1 } END { printf \"%d %.9f\\n\", s, x }' | sha256sum";
        const expected = await guest.onHost(line);
        // One a processor, at the same time.
        const all = `for i in $(seq ${cpus ?? 1}); do (${line}) & done; wait`;
        assert.equal(await guest.shell(all, 200_000), expected.repeat(cpus ?? 1));
        await guest.machine.console().write("poweroff -f\n");
        assert.equal((await guest.machine.exited).reason, "powered-off");
      } finally {
        await guest.dispose();
      }
    });
  }
});

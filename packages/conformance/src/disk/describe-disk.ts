// The suite of a disk: `describeDisk("memory", () => new MemoryDisk())` is a third party's whole test.

import { type ConformanceCase, type Outcome, PASSED, skipped } from "../case.js";
import { describeCases } from "../mocha.js";
import { CONCURRENCY_CASES } from "./cases/concurrency.js";
import { READ_CASES } from "./cases/reads.js";
import { DISK_REFUSAL_CASES } from "./cases/refusals.js";
import { TRANSFER_CASES } from "./cases/transfers.js";
import { type DiskCase, playSteps } from "./disk-case.js";
import { DiskStage, type DiskSuiteOptions, type MakeDisk } from "./disk-stage.js";

const CASES: readonly DiskCase[] = [...READ_CASES, ...TRANSFER_CASES, ...DISK_REFUSAL_CASES, ...CONCURRENCY_CASES];
const TIMEOUT_MS = 180_000;
/** A disk that is smaller cannot be tested by cases that write. */
const LEAST_BLOCKS = 16;

/** The cases of a disk, for a runner of one's own. @param make  opens a disk; called for each case, which closes it */
export function diskCases(make: MakeDisk, options: DiskSuiteOptions = {}): readonly ConformanceCase[] {
  return CASES.map((one) => ({
    id: one.id,
    title: one.title,
    timeoutMs: TIMEOUT_MS,
    run: async (): Promise<Outcome> => {
      const stage = new DiskStage(make, options);
      try {
        return (await play(stage, one)) ?? PASSED;
      } finally {
        await stage.close();
      }
    },
  }));
}

/** Define mocha tests for all cases. @param name  of the disk, for the title */
export function describeDisk(name: string, make: MakeDisk, options: DiskSuiteOptions = {}): void {
  describeCases(`conformance of disk ${name}`, diskCases(make, options));
}

async function play(stage: DiskStage, one: DiskCase): Promise<Outcome | void> {
  const disk = await stage.open();
  for (const capability of one.needs ?? []) {
    if (!disk.capabilities[capability]) return skipped(`the disk does not claim ${capability}`);
  }
  const blocks = disk.sizeBytes / disk.blockBytes;
  if (one.needs?.includes("write") && blocks < LEAST_BLOCKS)
    throw new RangeError(`a disk of ${blocks} blocks is too small to be tested: make one of ${LEAST_BLOCKS} or more`);
  if ("run" in one) {
    await disk.close();
    return one.run(stage);
  }
  return playSteps(stage, disk, one.steps);
}

// The suite of a network link: `describeNic("cable", () => cable()[0], { far })` is a third party's whole test.

import { type ConformanceCase, type Outcome, PASSED, skipped } from "../case.js";
import { describeCases } from "../mocha.js";
import { FRAME_CASES } from "./cases/frames.js";
import { LIMIT_CASES } from "./cases/limits.js";
import { type MakeLink, NicStage, type NicSuiteOptions } from "./nic-stage.js";

const TIMEOUT_MS = 180_000;

/** The cases of a link, for a runner of one's own. @param make  opens one end; called for each case, which closes it */
export function nicCases(make: MakeLink, options: NicSuiteOptions = {}): readonly ConformanceCase[] {
  return [...FRAME_CASES, ...LIMIT_CASES].map((one) => ({
    id: one.id,
    title: one.title,
    timeoutMs: TIMEOUT_MS,
    run: async (): Promise<Outcome> => {
      if (one.needsFar && !options.far) return skipped("the option `far` was not given: nobody looks at the frames");
      const stage = new NicStage(make, options);
      try {
        return (await one.run(stage)) ?? PASSED;
      } finally {
        await stage.close();
      }
    },
  }));
}

/** Define mocha tests for all cases. @param name  of the NIC, for the title */
export function describeNic(name: string, make: MakeLink, options: NicSuiteOptions = {}): void {
  describeCases(`conformance of NIC ${name}`, nicCases(make, options));
}

// The thin binding to mocha, or to any framework with global `describe` and `it` whose tests have `timeout` and `skip` on `this`.
// What must stay true: nothing is tested here, and a case that cannot run says so in the output.

import type { ConformanceCase } from "./case.js";

interface TestContext {
  timeout(ms: number): unknown;
  skip(): void;
}

interface Framework {
  readonly describe?: (title: string, define: () => void) => unknown;
  readonly it?: (title: string, run: (this: TestContext) => Promise<void>) => unknown;
}

/**
 * Define one test for each case.
 * @param title  of the group of tests
 * @throws TypeError outside a test framework
 */
export function describeCases(title: string, cases: readonly ConformanceCase[]): void {
  const { describe, it } = globalThis as Framework;
  if (!describe || !it)
    throw new TypeError("there are no global describe and it here: run this file with mocha, or use runCases");
  const said = new Set<string>();
  describe(title, () => {
    for (const one of cases) {
      it(one.title, async function () {
        this.timeout(one.timeoutMs);
        const outcome = await one.run();
        if (outcome.kind === "passed") return;
        if (!said.has(outcome.reason)) console.log(`      skipped: ${outcome.reason}`);
        said.add(outcome.reason);
        this.skip();
      });
    }
  });
}

// What every suite of this package is made of, whatever it tests and whatever runs it: cases with a `run` that passes, says why it
// cannot run here, or throws. No test framework is named here; mocha.ts binds cases to one.

/** What came of a case that did not fail. */
export type Outcome = { readonly kind: "passed" } | { readonly kind: "skipped"; readonly reason: string };

export const PASSED: Outcome = { kind: "passed" };

/** @param reason  what is missing, as in "skipped: …" */
export function skipped(reason: string): Outcome {
  return { kind: "skipped", reason };
}

/** One thing that must be true of the plugin under test. */
export interface ConformanceCase {
  /** Stable, unique in its suite: `port-in/widths`. */
  readonly id: string;
  /** A sentence about the plugin: "reports a port read with its width". */
  readonly title: string;
  /** After this the case hangs. Generous: a suite also runs where the host is itself an emulator. */
  readonly timeoutMs: number;
  /** Runs by itself, in any order, and leaves nothing behind. @throws whatever says what is wrong, when the plugin does not conform */
  run(): Promise<Outcome>;
}

/** Run cases without a test framework, one after the other. */
export async function runCases(
  cases: readonly ConformanceCase[],
): Promise<readonly { readonly id: string; readonly outcome: Outcome | { readonly kind: "failed"; readonly error: unknown } }[]> {
  const results = [];
  for (const one of cases) {
    try {
      results.push({ id: one.id, outcome: await one.run() });
    } catch (error) {
      results.push({ id: one.id, outcome: { kind: "failed" as const, error } });
    }
  }
  return results;
}

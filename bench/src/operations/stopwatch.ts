// A thin adapter over benchmark.js, so that the rest of the harness depends on five lines of it. Its set-up and tear-down hooks are
// not used: they are compiled from source text and cannot see this module.

import Benchmark from "benchmark";

/**
 * Time an asynchronous operation.
 * @param seconds  how long to sample for, at least one sample
 * @returns seconds of each sample
 */
export function timeOperation(name: string, operation: () => Promise<void>, seconds: number): Promise<readonly number[]> {
  return new Promise((resolve, reject) => {
    const benchmark = new Benchmark(name, {
      defer: true,
      minSamples: 3,
      maxTime: seconds,
      fn: (deferred: { resolve(): void }) => {
        operation().then(() => deferred.resolve(), reject);
      },
      onComplete: () => resolve(benchmark.stats.sample),
      onError: (event: Event) => reject((event.target as unknown as { error: unknown }).error),
    });
    benchmark.run({ async: true });
  });
}

// The small part of benchmark.js 2.1.4 that stopwatch.ts uses; the package brings no types.

declare module "benchmark" {
  interface Options {
    readonly defer?: boolean;
    readonly minSamples?: number;
    /** Seconds. */
    readonly maxTime?: number;
    readonly fn: (deferred: { resolve(): void }) => void;
    readonly onComplete?: () => void;
    readonly onError?: (event: Event) => void;
  }
  export default class Benchmark {
    constructor(name: string, options: Options);
    readonly stats: { readonly sample: readonly number[] };
    run(options: { readonly async: boolean }): this;
  }
}

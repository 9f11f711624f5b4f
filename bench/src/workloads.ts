// Which guest workloads there are and how they group into suites. Names are those that bench/guest prints; a test checks that
// both sides know the same ones.

export const SUITES = {
  compute: ["int-mix", "fib-calls", "interpreter", "virtual-calls", "chase-16k", "chase-64m", "nbody-double"],
  memory: [
    "memcpy-8m",
    "memcpy-8m-aliased",
    "memset-8m",
    "memcpy-100",
    "rep-movsb-8m",
    "rep-movsb-aliased",
    "rep-stosb-8m",
    "rep-movsb-64",
  ],
  vector: ["sse-fp32", "sse-int", "avx2-fp32", "avx2-int", "x87"],
  hash: ["sha256", "lz-compress"],
  kernel: [
    "getppid",
    "pipe-round-trip",
    "fork-exit",
    "fork-exec",
    "page-fault",
    "signal",
    "mprotect-pair",
    "mmap-munmap",
    "open-close",
    "tmpfs-write-read-64k",
    "shell-loop",
  ],
  code: ["patch-and-call", "emit-and-call"],
  threads: ["mutex-2-threads", "atomic-2-threads", "parallel-2-threads"],
} as const;

export type SuiteName = keyof typeof SUITES;

export const SUITE_NAMES = Object.keys(SUITES) as SuiteName[];

/** Workloads of some suites, in their order. @throws RangeError for a suite that does not exist */
export function workloadsOf(suites: readonly string[]): string[] {
  return suites.flatMap((suite) => {
    if (!(suite in SUITES)) throw new RangeError(`there is no suite ${suite}; there are ${SUITE_NAMES.join(", ")}`);
    return SUITES[suite as SuiteName];
  });
}

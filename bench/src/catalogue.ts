// Every row that the harness can measure, in suites, and the groups by which the goals speak of rows. Names are stable: saved
// reports and history are keyed by them. Those that a guest program measures are the names that bench/guest prints; a test checks it.

/** How a row comes about: printed by the guest program, or by the script that Node runs, or measured from outside around a machine. */
export type Probe = "program" | "node" | "boot" | "start" | "idle";

export interface Workload {
  readonly name: string;
  /** One line for a person: what is timed. */
  readonly what: string;
  readonly suite: string;
  readonly probe: Probe;
  /** Name in the guest program or script; for probes "program" and "node". */
  readonly program?: string;
  /** Virtual processors that the guest has; 0: as many as the run was asked for. */
  readonly cpus: number;
}

type Rows = Readonly<Record<string, string>>;

const COMPUTE: Rows = {
  "int-mix": "shifts, multiplications and one unpredictable branch, in registers",
  "fib-calls": "recursive calls and returns",
  interpreter: "a stack machine's bytecode, dispatched by a switch",
  "virtual-calls": "indirect calls that the host cannot predict",
  "chase-16k": "a chain of pointers within the first cache",
  "chase-64m": "a chain of pointers through 64 MiB",
  "nbody-double": "five bodies in scalar double precision",
};
const MEMORY: Rows = {
  "memcpy-8m": "the C library's copy of 8 MiB",
  "memcpy-8m-aliased": "the same with both ends 32 MiB apart, where direct-mapped tables collide",
  "memset-8m": "the C library's fill of 8 MiB",
  "memcpy-100": "the C library's copy of 100 bytes",
  "rep-movsb-8m": "REP MOVSB of 8 MiB",
  "rep-movsb-aliased": "the same with both ends 32 MiB apart",
  "rep-stosb-8m": "REP STOSB of 8 MiB",
  "rep-movsb-64": "REP MOVSB of 64 bytes",
};
const VECTOR: Rows = {
  "sse-fp32": "multiply and add of floats, SSE",
  "sse-int": "add, shift and exclusive-or of integers, SSE2",
  "avx2-fp32": "multiply and add of floats, AVX",
  "avx2-int": "add, shift and exclusive-or of integers, AVX2",
  x87: "multiply, add and divide on the x87 stack",
};
const HASH: Rows = { sha256: "SHA-256 in plain C", "lz-compress": "a byte-oriented LZ compressor" };
const KERNEL: Rows = {
  getppid: "the cheapest system call",
  "pipe-round-trip": "one byte to another process and back",
  "fork-exit": "fork, exit and wait",
  "fork-exec": "vfork, exec, exit and wait",
  "page-fault": "first write to an anonymous page",
  signal: "a signal to itself, handled",
  "mprotect-pair": "a page made read-only and writable again, then written",
  "mmap-munmap": "64 KiB mapped, touched once and unmapped",
  "open-close": "open and close of a file",
  "tmpfs-write-read-64k": "64 KiB written to and read from a file in memory",
  "shell-loop": "a counting loop in BusyBox's shell",
};
const CODE: Rows = {
  "patch-and-call": "an instruction of a function changed, then the function called",
  "emit-and-call": "64 bytes of code written and called once",
};
const THREADS: Rows = {
  "mutex-2-threads": "two threads and one mutex",
  "atomic-2-threads": "two threads and one atomic counter",
  "parallel-2-threads": "two threads that share nothing",
};
const SMP: Rows = {
  "mutex-2-cpus": "two threads and one mutex, on two virtual processors",
  "atomic-2-cpus": "two threads and one atomic counter, on two virtual processors",
  "parallel-2-cpus": "two threads that share nothing, on two virtual processors",
};
/** Node inside the guest: code that is made while it runs. A set of its own, beside the C programs. */
const NODE: Rows = {
  "node-start": "Node started and ended, with nothing to do",
  "node-calls": "recursive calls, compiled by V8",
  "node-objects": "a method of three classes by turns",
  "node-garbage": "an object allocated, most of them soon dropped",
  "node-functions": "a function compiled from text and called once",
  "node-deoptimize": "a function optimised, then thrown away because a type changed",
  "node-json": "JSON written, read and written",
  "node-sha256": "OpenSSL's SHA-256",
};
/** Where the time of boot-to-userspace goes, for contenders that say it: ours. */
const PHASES: Rows = {
  "boot-modules": "process start to our own first line: Node and the modules of the SDK",
  "boot-create": "from there to a created machine: plugins, specification, kernel image, engine",
  "boot-guest": "from there to the first line of userspace: the guest's own kernel",
};
const IDLE: Rows = {
  "idle-memory": "resident memory of a booted idle guest, Node included, by proportional shares",
  "idle-memory-above-ram": "the same without the RAM that the guest touched",
  "idle-memory-alone": "all of it as if nothing else ran on the host: shared pages of files count in full",
  "idle-processor": "processor time of an idle guest in ten seconds",
};

const program = (suite: string, rows: Rows, cpus = 0): Workload[] =>
  Object.entries(rows).map(([name, what]) => ({
    ...{ name, what, suite, cpus, probe: "program" as const },
    program: name.replace(/-2-cpus$/, "-2-threads"),
  }));

export const WORKLOADS: readonly Workload[] = [
  {
    ...{ name: "machine-start", suite: "boot", probe: "start", cpus: 0 },
    what: "process start to the first byte on the console of a machine whose firmware writes one",
  },
  {
    name: "boot-to-userspace",
    suite: "boot",
    probe: "boot",
    cpus: 0,
    what: "process start to the first line of userspace, stock kernel",
  },
  { name: "boot-2-cpus", suite: "boot", probe: "boot", cpus: 2, what: "the same with two virtual processors" },
  ...Object.entries(PHASES).map(([name, what]) => ({ name, what, suite: "boot", probe: "boot" as const, cpus: 0 })),
  ...Object.entries(IDLE).map(([name, what]) => ({ name, what, suite: "idle", probe: "idle" as const, cpus: 0 })),
  ...program("compute", COMPUTE),
  ...program("memory", MEMORY),
  ...program("vector", VECTOR),
  ...program("hash", HASH),
  ...program("kernel", KERNEL),
  ...program("code", CODE),
  ...program("threads", THREADS),
  ...program("smp", SMP, 2),
  ...Object.entries(NODE).map(([name, what]) => ({ name, what, suite: "node", probe: "node" as const, cpus: 0, program: name })),
];

export const SUITE_NAMES: readonly string[] = [...new Set(WORKLOADS.map(({ suite }) => suite))];

/** Rows that a goal speaks of together. A group's name selects its rows, as a suite's does. */
export const GROUPS: Readonly<Record<string, readonly string[]>> = {
  "user-compute": Object.keys(COMPUTE),
  bandwidth: ["memcpy-8m", "memcpy-8m-aliased", "memset-8m", "rep-movsb-8m", "rep-movsb-aliased", "rep-stosb-8m"],
  simd: ["sse-fp32", "sse-int", "avx2-fp32", "avx2-int"],
  "kernel-work": Object.keys(KERNEL),
  "run-time-code": Object.keys(CODE),
  "node-in-guest": Object.keys(NODE),
};

export const workloadNamed = (name: string): Workload | undefined => WORKLOADS.find((one) => one.name === name);

/**
 * The rows that some names stand for: of a row, a suite, a group, or a pattern such as `memcpy*`.
 * @returns in the order of the catalogue, each once
 * @throws RangeError for a name that stands for nothing
 */
export function selectWorkloads(names: readonly string[]): readonly Workload[] {
  const wanted = new Set<string>();
  for (const name of names) {
    const pattern = new RegExp(`^${name.replaceAll(/[^a-z0-9*]/gi, "\\$&").replaceAll("*", ".*")}$`);
    const found = WORKLOADS.filter((one) => one.suite === name || GROUPS[name]?.includes(one.name) || pattern.test(one.name));
    if (found.length === 0)
      throw new RangeError(
        `there is no row, suite or group ${name}; suites are ${SUITE_NAMES.join(", ")}; groups ${Object.keys(GROUPS).join(", ")}`,
      );
    for (const one of found) wanted.add(one.name);
  }
  return WORKLOADS.filter(({ name }) => wanted.has(name));
}

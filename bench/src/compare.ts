// The harness: runs the same guest programs on several contenders, interleaved, and returns every figure with its median.
// What must stay true: within a round the contenders take turns suite by suite, so that a slow minute of the machine hits all of
// them; a contender that fails is reported with its reason and does not spoil the others.

import { cpus, release, totalmem } from "node:os";
import { selectWorkloads, SUITE_NAMES } from "./catalogue.js";
import { findEntrants } from "./entrants.js";
import { Figures } from "./figures.js";
import { measureOperations, type OperationResult } from "./operations/operations.js";
import { REPORT_FORMAT, Report, type ReportData } from "./report.js";
import { SessionFiles } from "./session-files.js";
import { runSession, runsNatively } from "./session-run.js";
import { planSessions } from "./sessions.js";

export interface CompareOptions {
  /** Backend names, or packages of third-party backends. Default: ["bt"]. */
  readonly backends?: readonly string[];
  /** Folder from which packages of third parties are looked for. Default: the working folder. */
  readonly from?: string;
  /** Roots of other built working copies of Ringzero, whose "bt" takes part as `bt@FOLDER`: two versions in one run. */
  readonly checkouts?: readonly string[];
  /** Whole suites. Default, without `workloads`: all. @see SUITE_NAMES */
  readonly suites?: readonly string[];
  /** Rows, suites, groups, or patterns such as `memcpy*`. @see selectWorkloads */
  readonly workloads?: readonly string[];
  /** Compare with the host itself. Default: true. */
  readonly native?: boolean;
  /** Compare with QEMU's translator: true for what `defaultQemuPrograms` finds, or programs to use. Default: true. */
  readonly qemu?: boolean | readonly string[];
  /** Rounds, each of which runs every contender once; at least 3 for a claim. Default: 3. */
  readonly rounds?: number;
  /** Milliseconds for one timing of one workload; each figure is the best of two. Default: 100. */
  readonly roundMs?: number;
  /** Virtual processors of the guests, where a row does not say how many. Default: 1. */
  readonly cpus?: number;
  /** RAM of the guests. Default: 512. */
  readonly memoryMiB?: number;
  /** Watch idle guests for two seconds instead of ten. Default: false. */
  readonly quick?: boolean;
  /** Measure the SDK's own operations too (exit round trip, create). Default: true unless rows are selected. */
  readonly operations?: boolean;
  /** Ends everything: programs, guests and their engines. `compare` then throws the signal's reason. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (message: string) => void;
}

/**
 * @returns the figures, which know how to show themselves
 * @throws RangeError for rows, suites or backends that do not exist
 * @throws RingzeroError `IMAGE_FETCH_FAILED` without a guest kernel
 */
export async function compare(options: CompareOptions = {}): Promise<Report> {
  const { rounds = 3, roundMs = 100, memoryMiB = 512, signal, quick = false, onProgress: say = () => {} } = options;
  const everything = options.suites === undefined && options.workloads === undefined;
  const workloads = selectWorkloads(everything ? SUITE_NAMES : [...(options.suites ?? []), ...(options.workloads ?? [])]);
  const { taking, absent: missing } = await findEntrants(options);
  const absent: Record<string, string> = { ...missing };
  const files = await SessionFiles.prepare();
  const plan = planSessions(workloads, options.cpus ?? 1);
  const figures = new Figures();
  const notes = new Set<string>();

  for (let round = 1; round <= rounds; round += 1) {
    for (const session of plan) {
      // Every other round in the other order: whoever always follows the same neighbour inherits its heat.
      for (const { contender } of round % 2 === 1 ? taking : [...taking].reverse()) {
        if (contender.name in absent || (contender.kind === "native" && !runsNatively(session))) continue;
        const refused = await contender.refuses(session.cpus);
        if (refused !== null) {
          notes.add(`${contender.name} did not run ${session.workloads.map(({ name }) => name).join(", ")}: ${refused}`);
          continue;
        }
        signal?.throwIfAborted();
        say(`round ${round} of ${rounds}: ${session.name} on ${contender.name}`);
        try {
          const found = await runSession(contender, session, files, { roundMs, memoryMiB, quick, signal });
          for (const one of found.figures) figures.add(contender.name, one);
          if (found.note) notes.add(found.note);
        } catch (error) {
          signal?.throwIfAborted();
          absent[contender.name] = error instanceof Error ? error.message : String(error);
          say(`${contender.name} failed: ${absent[contender.name]}`);
        }
      }
    }
  }
  const operations: OperationResult[] = [];
  for (const backend of (options.operations ?? everything) ? (options.backends ?? ["bt"]) : []) {
    if (backend in absent) continue;
    signal?.throwIfAborted();
    say(`operations of the SDK on ${backend}`);
    operations.push(...(await unlessAborted(measureOperations(backend, options.from ?? process.cwd()), signal)));
  }
  return new Report({
    ...{ format: REPORT_FORMAT, when: new Date().toISOString(), machine: thisMachine() },
    contenders: Object.fromEntries(taking.map(({ contender, what }) => [contender.name, { kind: contender.kind, what }])),
    ...{ absent, notes: [...notes], guest: files.images.versions, rounds, roundMs, operations },
    rows: workloads.flatMap((workload) => figures.row(workload)),
  });
}

const thisMachine = (): ReportData["machine"] => ({
  processor: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  kernel: release(),
});

/** Operations run in this process, and end with it. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}

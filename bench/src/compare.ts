// The harness: runs the same guest programs on several contenders, interleaved, and returns every figure with its median.
// What must stay true: within a round the contenders take turns suite by suite, so that a slow minute of the machine hits all of
// them; a contender that fails is reported with its reason and does not spoil the others.

import { cpus, release, totalmem } from "node:os";
import { fetchDebianImages } from "@ringzero/boot";
import { selectWorkloads, SUITE_NAMES, type Workload } from "./catalogue.js";
import type { Contender } from "./contender.js";
import { NativeHost } from "./contenders/native-host.js";
import { defaultQemuPrograms, QemuTcg } from "./contenders/qemu-tcg.js";
import { RingzeroBackend } from "./contenders/ringzero-backend.js";
import { buildGuestPrograms, parseValues } from "./guest-programs.js";
import { measureOperations, type OperationResult } from "./operations/operations.js";
import { REPORT_FORMAT, Report, type Row } from "./report.js";
import { sessionImage } from "./session-image.js";
import { type PlannedSession, planSessions } from "./sessions.js";
import { median } from "./statistics.js";

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
  /** Measure the SDK's own operations too (exit round trip, create). Default: true unless rows are selected. */
  readonly operations?: boolean;
  /** Ends everything: programs, guests and their engines. `compare` then throws the signal's reason. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (message: string) => void;
}

const SESSION_TIMEOUT_MS = 600_000;
/** Two clocks may differ by so much before the report says so. */
const CLOCK_TOLERANCE = 0.03;

interface Entrant {
  readonly contender: Contender;
  readonly what: string;
}

/**
 * @returns the figures, which know how to show themselves
 * @throws RangeError for rows, suites or backends that do not exist
 * @throws RingzeroError `IMAGE_FETCH_FAILED` without a guest kernel
 */
export async function compare(options: CompareOptions = {}): Promise<Report> {
  const say = options.onProgress ?? (() => {});
  const workloads = selectWorkloads(
    [...(options.suites ?? []), ...(options.workloads ?? [])].concat(selectsAll(options) ? SUITE_NAMES : []),
  );
  const rounds = options.rounds ?? 3;
  const roundMs = options.roundMs ?? 100;
  const absent: Record<string, string> = {};
  const entrants = await findEntrants(options, absent);
  const images = await fetchDebianImages();
  const binary = await buildGuestPrograms();
  const plan = planSessions(workloads, options.cpus ?? 1);
  const figures = new Figures();
  const notes = new Set<string>();

  for (let round = 1; round <= rounds; round += 1) {
    for (const session of plan) {
      // Every other round in the other order: whoever always follows the same neighbour inherits its heat.
      for (const { contender } of round % 2 === 1 ? entrants : [...entrants].reverse()) {
        if (contender.name in absent || (contender.kind === "native" && session.programs.length === 0)) continue;
        const refused = await contender.refuses(session.cpus);
        if (refused !== null) {
          notes.add(`${contender.name} did not run ${session.workloads.map(({ name }) => name).join(", ")}: ${refused}`);
          continue;
        }
        say(`round ${round} of ${rounds}: ${session.name} on ${contender.name}`);
        try {
          const programArguments = ["--ms", String(roundMs), "--rounds", "2", ...session.programs];
          const result = await contender.run({
            ...{ binary, programArguments, kernel: images.kernel, busybox: images.busybox, cpus: session.cpus },
            initrd: await sessionImage(binary, images.busybox, session.programs.length === 0 ? null : programArguments),
            ...{ memoryMiB: options.memoryMiB ?? 512, timeoutMs: SESSION_TIMEOUT_MS, signal: options.signal },
          });
          figures.take(contender.name, session, result.output, result.bootMs);
          const drift = result.clock ? result.clock.guestMs / result.clock.hostMs - 1 : 0;
          if (result.clock && result.clock.hostMs > 1000 && Math.abs(drift) > CLOCK_TOLERANCE)
            notes.add(
              `${contender.name}: its clock runs ${(drift * 100).toFixed(0)} % off the host's; its figures are off by as much`,
            );
        } catch (error) {
          options.signal?.throwIfAborted();
          absent[contender.name] = error instanceof Error ? error.message : String(error);
          say(`${contender.name} failed: ${absent[contender.name]}`);
        }
      }
    }
  }
  const operations: OperationResult[] = [];
  for (const backend of (options.operations ?? selectsAll(options)) ? (options.backends ?? ["bt"]) : []) {
    if (backend in absent) continue;
    options.signal?.throwIfAborted();
    say(`operations of the SDK on ${backend}`);
    operations.push(...(await unlessAborted(measureOperations(backend, options.from ?? process.cwd()), options.signal)));
  }
  return new Report({
    format: REPORT_FORMAT,
    when: new Date().toISOString(),
    machine: {
      processor: cpus()[0]?.model ?? "unknown",
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      kernel: release(),
    },
    contenders: Object.fromEntries(entrants.map(({ contender, what }) => [contender.name, { kind: contender.kind, what }])),
    ...{ absent, notes: [...notes], guest: images.versions, rounds, roundMs, operations },
    rows: workloads.flatMap((workload) => figures.row(workload)),
  });
}

const selectsAll = ({ suites, workloads }: CompareOptions) => suites === undefined && workloads === undefined;

/** Operations run in this process, and end with it. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}

async function findEntrants(options: CompareOptions, absent: Record<string, string>): Promise<Entrant[]> {
  const { from, qemu = true } = options;
  const programs = qemu === true ? await defaultQemuPrograms() : qemu === false ? [] : qemu;
  const wanted: Contender[] = [
    ...((options.native ?? true) ? [new NativeHost()] : []),
    ...(options.backends ?? ["bt"]).map((backend) => new RingzeroBackend(backend, { from })),
    ...(options.checkouts ?? []).map((checkout) => new RingzeroBackend("bt", { from, checkout })),
    ...(await Promise.all(programs.map((program) => QemuTcg.find(program)))),
  ];
  const entrants: Entrant[] = [];
  for (const contender of wanted) {
    if (entrants.some((other) => other.contender.name === contender.name)) continue; // the same version of QEMU twice
    const why = await contender.unavailable();
    if (why === null) entrants.push({ contender, what: await contender.describe() });
    else absent[contender.name] = why;
  }
  return entrants;
}

/** Collects figures by row and contender. */
class Figures {
  readonly #samples = new Map<string, Map<string, number[]>>();
  readonly #units = new Map<string, string>();

  take(contender: string, session: PlannedSession, output: string, bootMs: number | null): void {
    const values = parseValues(output);
    for (const { name, probe, program } of session.workloads) {
      const found = probe === "program" ? values.get(program!) : undefined;
      if (found) this.#add(name, contender, found.value, found.unit);
    }
    if (bootMs !== null && session.bootRow) this.#add(session.bootRow, contender, bootMs, "ms");
  }

  #add(row: string, contender: string, value: number, unit: string): void {
    this.#units.set(row, unit);
    const samples = this.#samples.get(row) ?? new Map<string, number[]>();
    this.#samples.set(row, samples.set(contender, [...(samples.get(contender) ?? []), value]));
  }

  row({ name, suite }: Workload): Row[] {
    const samples = this.#samples.get(name);
    if (!samples) return [];
    const values = Object.fromEntries([...samples].map(([contender, all]) => [contender, median(all)]));
    return [{ name, suite, unit: this.#units.get(name)!, values, samples: Object.fromEntries(samples) }];
  }
}

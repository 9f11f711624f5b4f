// The harness: runs the same guest programs on several contenders, interleaved, and returns medians and ratios.
// What must stay true: within a round each contender runs once, so that a slow minute of the machine hits all of them; a contender
// that fails is reported with its reason and does not spoil the others.

import { cpus, release, totalmem } from "node:os";
import { fetchDebianImages } from "@ringzero/boot";
import type { Contender, SessionResult } from "./contender.js";
import { NativeHost } from "./contenders/native-host.js";
import { QemuTcg } from "./contenders/qemu-tcg.js";
import { RingzeroBackend } from "./contenders/ringzero-backend.js";
import { buildGuestPrograms, parseValues } from "./guest-programs.js";
import { type OperationResult, measureOperations } from "./operations/operations.js";
import { sessionImage } from "./session-image.js";
import { median } from "./statistics.js";
import { SUITE_NAMES, workloadsOf } from "./workloads.js";

export interface CompareOptions {
  /** Backend names, or packages of third-party backends. Default: ["bt"]. */
  readonly backends?: readonly string[];
  /** Default: all. @see SUITES */
  readonly suites?: readonly string[];
  /** Compare with the host itself. Default: true. */
  readonly native?: boolean;
  /** Compare with QEMU's translator where it is installed: true, or programs to use. Default: true. */
  readonly qemu?: boolean | readonly string[];
  /** Rounds, each of which runs every contender once; at least 3 for a claim. Default: 3. */
  readonly rounds?: number;
  /** Milliseconds for one timing of one workload. Default: 100. */
  readonly roundMs?: number;
  /** RAM of the guests. Default: 512. */
  readonly memoryMiB?: number;
  /** Measure the SDK's own operations too (exit round trip, create). Default: true. */
  readonly operations?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (message: string) => void;
}

/** One line of the table; all figures are medians. Lower is better. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  /** By contender name; absent where it did not run. */
  readonly values: Readonly<Record<string, number>>;
}

export interface Report {
  readonly when: string;
  readonly machine: { readonly processor: string; readonly cores: number; readonly memoryGiB: number; readonly kernel: string };
  /** Name and version of each contender that ran. */
  readonly contenders: Readonly<Record<string, string>>;
  /** Why others did not. */
  readonly absent: Readonly<Record<string, string>>;
  readonly guest: { readonly kernel: string; readonly busybox: string };
  readonly rounds: number;
  readonly rows: readonly Row[];
  readonly operations: readonly OperationResult[];
}

const SESSION_TIMEOUT_MS = 600_000;

/**
 * @returns the figures; see report.ts for tables
 * @throws RangeError for suites or backends that do not exist
 * @throws RingzeroError `IMAGE_FETCH_FAILED` without a guest kernel
 */
export async function compare(options: CompareOptions = {}): Promise<Report> {
  const say = options.onProgress ?? (() => {});
  const names = workloadsOf(options.suites ?? SUITE_NAMES);
  const rounds = options.rounds ?? 3;
  const images = await fetchDebianImages();
  const binary = await buildGuestPrograms();
  const programArguments = ["--ms", String(options.roundMs ?? 100), "--rounds", "2", ...names];
  const initrd = await sessionImage(binary, images.busybox, programArguments);
  const session = {
    ...{ binary, initrd, programArguments, kernel: images.kernel, busybox: images.busybox },
    ...{ memoryMiB: options.memoryMiB ?? 512, timeoutMs: SESSION_TIMEOUT_MS },
  };

  const contenders: Record<string, string> = {};
  const absent: Record<string, string> = {};
  const running: Contender[] = [];
  for (const one of wantedContenders(options)) {
    const why = await one.unavailable();
    if (why === null) {
      running.push(one);
      contenders[one.name] = await one.describe();
    } else absent[one.name] = why;
  }

  const results = new Map<string, SessionResult[]>();
  for (let round = 1; round <= rounds; round += 1) {
    for (const one of running) {
      options.signal?.throwIfAborted();
      if (one.name in absent) continue;
      say(`round ${round} of ${rounds}: ${one.name}`);
      try {
        const result = await one.run(session);
        results.set(one.name, [...(results.get(one.name) ?? []), result]);
      } catch (error) {
        absent[one.name] = error instanceof Error ? error.message : String(error);
        say(`${one.name} failed: ${absent[one.name]}`);
      }
    }
  }
  const operations: OperationResult[] = [];
  for (const backend of options.operations === false ? [] : (options.backends ?? ["bt"])) {
    if (backend in absent) continue;
    say(`operations of the SDK on ${backend}`);
    operations.push(...(await measureOperations(backend)));
  }
  return {
    when: new Date().toISOString(),
    machine: {
      processor: cpus()[0]?.model ?? "unknown",
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      kernel: release(),
    },
    contenders,
    absent,
    guest: images.versions,
    rounds,
    rows: [...bootRow(results), ...names.flatMap((name) => workloadRow(name, results))],
    operations,
  };
}

function wantedContenders(options: CompareOptions): Contender[] {
  const qemu = options.qemu ?? true;
  const programs = qemu === true ? ["qemu-system-x86_64"] : qemu === false ? [] : qemu;
  return [
    ...((options.native ?? true) ? [new NativeHost()] : []),
    ...(options.backends ?? ["bt"]).map((backend) => new RingzeroBackend(backend)),
    ...programs.map((program, index) => new QemuTcg(program, index === 0 ? "qemu-tcg" : `qemu-tcg-${index + 1}`)),
  ];
}

function bootRow(results: ReadonlyMap<string, readonly SessionResult[]>): Row[] {
  const values: Record<string, number> = {};
  for (const [name, sessions] of results) {
    const times = sessions.flatMap(({ bootMs }) => (bootMs === null ? [] : [bootMs]));
    if (times.length > 0) values[name] = median(times);
  }
  return [{ name: "boot-to-userspace", unit: "ms", values }];
}

function workloadRow(name: string, results: ReadonlyMap<string, readonly SessionResult[]>): Row[] {
  const values: Record<string, number> = {};
  let unit = "";
  for (const [contender, sessions] of results) {
    const found = sessions.flatMap(({ output }) => parseValues(output).get(name) ?? []);
    if (found.length === 0) continue;
    values[contender] = median(found.map(({ value }) => value));
    unit = found[0]!.unit;
  }
  return unit === "" ? [] : [{ name, unit, values }];
}

// The suite of a backend: `describeBackend("kvm", () => new KvmBackend())` is a third party's whole test.

import type { Backend, BackendReport } from "@ringzero/api";
import { type ConformanceCase, type Outcome, PASSED, skipped } from "../case.js";
import { describeCases } from "../mocha.js";
import { CONTRACT_CASES } from "./contract/index.js";
import { GUEST_CASES } from "./cases/index.js";
import type { ContractCase } from "./contract-case.js";
import type { Feature } from "./features.js";
import { type GuestCase, playGuestCase } from "./guest-case.js";
import { Stage } from "./stage.js";

const TIMEOUT_MS = 180_000; // three times what a case waits for one thing

export interface BackendSuiteOptions {
  /** Features that the backend does not have, each with the reason: cases that use them are skipped, and say so. */
  readonly without?: Readonly<Partial<Record<Feature, string>>>;
  /** How long a case waits for one thing. Default: a minute, for hosts that are emulators themselves. */
  readonly patienceMs?: number;
}

/** The cases of a backend, for a runner of one's own. @param create  makes the backend; called for each case */
export function backendCases(create: () => Backend, options: BackendSuiteOptions = {}): readonly ConformanceCase[] {
  return [
    ...CONTRACT_CASES.map((one) => bound(one, create, options, (stage) => one.run(stage))),
    ...GUEST_CASES.map((one) => bound(withGuestCode(one), create, options, (stage) => playGuestCase(stage, one))),
  ];
}

/** Define mocha tests for all cases. @param name  of the backend, for the title */
export function describeBackend(name: string, create: () => Backend, options: BackendSuiteOptions = {}): void {
  describeCases(`conformance of backend ${name}`, backendCases(create, options));
}

type Needs = Pick<ContractCase, "id" | "title" | "uses" | "needs" | "vcpus">;

function withGuestCode(one: GuestCase): Needs {
  return { ...one, uses: ["guest-code", ...(one.uses ?? [])], ...(one.config?.vcpus ? { vcpus: one.config.vcpus } : {}) };
}

function bound(
  one: Needs,
  create: () => Backend,
  options: BackendSuiteOptions,
  play: (stage: Stage) => Promise<Outcome | void>,
): ConformanceCase {
  const run = async (): Promise<Outcome> => {
    const backend = create();
    const report = await backend.probe();
    const missing = whatIsMissing(one, report, options);
    if (missing !== null) return skipped(missing);
    const stage = new Stage(backend, report, options.patienceMs);
    try {
      return (await play(stage)) ?? PASSED;
    } finally {
      await stage.close();
    }
  };
  return { id: one.id, title: one.title, timeoutMs: TIMEOUT_MS, run };
}

/** Why a case cannot run on a backend, or null. */
export function whatIsMissing(one: Needs, report: BackendReport, { without = {} }: BackendSuiteOptions): string | null {
  if (!report.available) return report.reason;
  for (const feature of one.uses ?? []) {
    const reason = without[feature];
    if (reason !== undefined) return `${feature}: ${reason}`;
  }
  for (const capability of one.needs ?? []) {
    if (!report.capabilities[capability]) return `the backend does not claim ${capability}`;
  }
  const { maxVcpus } = report.capabilities;
  if ((one.vcpus ?? 1) > maxVcpus) return `${one.vcpus} vCPUs: the backend has at most ${maxVcpus}`;
  return null;
}

// Whether a machine may move to another backend, by what both of them claim: refused here, it never stops for it.

import { RingzeroError } from "@ringzero/api";
import type { MachinePlan, MoveOrder } from "../host/machine-plan.js";
import { type BackendProbes, chooseBackend } from "./choose-backend.js";

export interface MoveWish {
  readonly plan: MachinePlan;
  readonly hosting: "worker" | "inline";
  /** Names of the backends. */
  readonly from: string;
  readonly to: string;
  readonly engine: MoveOrder["engine"] | undefined;
  readonly timeoutMs: number | undefined;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_TIMEOUT_MS = 2 ** 31 - 1; // what a timer takes

/**
 * @throws RangeError for a time limit that is none
 * @throws RingzeroError `BACKEND_UNKNOWN`, `BACKEND_UNAVAILABLE`
 * @throws RingzeroError `VM_UNSUPPORTED` with what the backend lacks
 */
export async function planMove(
  { plan, hosting, from, to, engine, timeoutMs = DEFAULT_TIMEOUT_MS }: MoveWish,
  probes: BackendProbes,
): Promise<MoveOrder> {
  if (!(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS))
    throw new RangeError(`timeoutMs is ${timeoutMs}; it must be a number of milliseconds, at most ${MAX_TIMEOUT_MS}`);
  const needs = { cpus: plan.cpus, memoryBytes: plan.memoryBytes, cpuProfile: plan.cpuProfile };
  const { problems } = await chooseBackend(to, needs, probes);
  const [problem] = problems;
  if (problem) {
    const code =
      problem.code === "unknown-backend"
        ? "BACKEND_UNKNOWN"
        : problem.code === "backend-unavailable"
          ? "BACKEND_UNAVAILABLE"
          : "VM_UNSUPPORTED";
    throw new RingzeroError(code, `cannot move the machine ${plan.name}: ${problems.map(({ message }) => message).join("; ")}`);
  }
  const refuse = (why: string): never => {
    throw new RingzeroError("VM_UNSUPPORTED", `cannot move the machine ${plan.name}: ${why}`);
  };
  const source = (await probes.of(from))!.capabilities;
  const target = (await probes.of(to))!.capabilities;
  if (!source.saveState) refuse(`backend ${from} cannot save the state of a machine`);
  if (!target.saveState) refuse(`backend ${to} cannot load the state of a machine`);
  for (const capability of ["doorbells", "msi"] as const) {
    if (source[capability] && !target[capability]) refuse(`backend ${to} has no ${capability}, which its devices may be using`);
  }
  const backend = probes.registry.link(probes.registry.find("backend", to)!);
  if (hosting === "worker" && backend.module === null) {
    refuse(
      `the backend plugin ${to} was given as an object and cannot be handed to the worker of this machine; set its field \`module\` to import.meta.url`,
    );
  }
  return {
    backend,
    engine: engine ?? (to === plan.backend.name ? plan.engine : {}),
    shareMemory: source.memorySharing && target.memorySharing,
    timeoutMs,
  };
}

// Two machines of the translator in lockstep, or one beside the host's KVM, until a register differs: `ringzero-engine --step` (native/host/step.cpp) as a child.

import { enginePath } from "./native-parts.js";

/**
 * What the second machine is: the translator without its optimisations, or as it ships, either with one instruction a block; or the
 * host's KVM, which is single-stepped and compared after every instruction.
 */
export const LOCKSTEP_AGAINST = ["no-opt", "one-instruction", "kvm"] as const;
export type LockstepAgainst = (typeof LOCKSTEP_AGAINST)[number];

/** Most instructions of a block, so that this is the longest way between two comparisons. */
export const LOCKSTEP_LONGEST_BLOCK = 64;

export interface LockstepOptions {
  readonly against: LockstepAgainst;
  /** Compare at least every so many instructions, 1 to LOCKSTEP_LONGEST_BLOCK. Of no meaning against KVM. */
  readonly every: number;
  /** Stop after so many. */
  readonly instructions: number;
  readonly cpuProfile: string;
  /** Show what the guest writes to COM1 and to the log port. */
  readonly output: boolean;
  /** What the guest reads from COM1. */
  readonly input?: string;
  readonly stdout: (bytes: Uint8Array) => void;
  /** How it ended and, after a difference, the report. */
  readonly stderr: (bytes: Uint8Array) => void;
}

/** Whether they did the same; `failed` when the engine itself did not work, `no-kvm` where there is none to step. */
export type LockstepResult = "same" | "different" | "failed" | "no-kvm";

/** By the exit status of the child. */
const RESULTS: Readonly<Record<number, LockstepResult>> = { 0: "same", 1: "different", 4: "no-kvm" };

/**
 * @param script  a boot script, as `flattenBootImage` of @ringzero/boot writes it
 * @throws Error when the engine is not built or cannot be started
 */
export async function lockstep(script: string, options: LockstepOptions): Promise<LockstepResult> {
  const args = ["--step", script, "--against", options.against, "--every", String(options.every)];
  args.push("--instructions", String(options.instructions), "--cpu", options.cpuProfile);
  if (options.output) args.push("--output");
  if (options.input !== undefined) args.push("--input", options.input);
  const { spawn } = await import("node:child_process"); // device workers load this module too, and have no use for it
  return await new Promise((resolve, reject) => {
    const child = spawn(enginePath(), args, { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.on("data", options.stdout);
    child.stderr.on("data", options.stderr);
    child.on("error", reject);
    child.on("close", (code) => resolve(RESULTS[code ?? -1] ?? "failed"));
  });
}

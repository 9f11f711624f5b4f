// Two machines of the translator in lockstep, until a register differs: `ringzero-engine --step` (native/host/step.cpp) as a child.

import { spawn } from "node:child_process";
import { enginePath } from "./native-parts.js";

/** What the second machine is: the translator without its optimisations, or as it ships; either with one instruction a block. */
export const LOCKSTEP_AGAINST = ["no-opt", "one-instruction"] as const;
export type LockstepAgainst = (typeof LOCKSTEP_AGAINST)[number];

/** Most instructions of a block, so that this is the longest way between two comparisons. */
export const LOCKSTEP_LONGEST_BLOCK = 64;

export interface LockstepOptions {
  readonly against: LockstepAgainst;
  /** Compare at least every so many instructions, 1 to LOCKSTEP_LONGEST_BLOCK. */
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

/** Whether they did the same; `failed` when the engine itself did not work. */
export type LockstepResult = "same" | "different" | "failed";

/**
 * @param script  a boot script, as `flattenBootImage` of @ringzero/boot writes it
 * @throws Error when the engine is not built or cannot be started
 */
export function lockstep(script: string, options: LockstepOptions): Promise<LockstepResult> {
  const args = ["--step", script, "--against", options.against, "--every", String(options.every)];
  args.push("--instructions", String(options.instructions), "--cpu", options.cpuProfile);
  if (options.output) args.push("--output");
  if (options.input !== undefined) args.push("--input", options.input);
  return new Promise((resolve, reject) => {
    const child = spawn(enginePath(), args, { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.on("data", options.stdout);
    child.stderr.on("data", options.stderr);
    child.on("error", reject);
    child.on("close", (code) => resolve(code === 0 ? "same" : code === 1 ? "different" : "failed"));
  });
}

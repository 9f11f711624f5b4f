// Runs a contender's program as a child process, and times what it prints. What must stay true: whatever ends the wait, the child is
// gone afterwards; its engine processes follow it.

import { spawn } from "node:child_process";
import type { SessionResult } from "../contender.js";

export interface ChildOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Text whose first appearance is timed. */
  readonly mark?: string;
  readonly env?: NodeJS.ProcessEnv;
}

const CLOCK_LINE = /^# clock (\d+)\r?$/gm;

/**
 * Run a program to its end and collect what it prints.
 * @throws Error when it does not end with 0 within `timeoutMs`, with its last output; the signal's reason when aborted
 */
export function runChild(command: readonly string[], options: ChildOptions): Promise<SessionResult> {
  return new Promise((resolve, reject) => {
    if (options.signal?.aborted) return reject(options.signal.reason);
    const started = performance.now();
    const child = spawn(command[0]!, command.slice(1), {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
    });
    let output = "";
    let errors = "";
    let markMs: number | null = null;
    const clockLinesAtMs: number[] = [];
    const kill = () => child.kill("SIGKILL");
    const timer = setTimeout(kill, options.timeoutMs);
    options.signal?.addEventListener("abort", kill, { once: true });
    const settle = () => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", kill);
    };
    child.stdout.on("data", (chunk: Buffer) => {
      const now = performance.now();
      output += chunk.toString("latin1");
      if (options.mark && markMs === null && output.includes(options.mark)) markMs = now - started;
      while (clockLinesAtMs.length < (output.match(CLOCK_LINE)?.length ?? 0)) clockLinesAtMs.push(now);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errors = (errors + chunk.toString("latin1")).slice(-4096);
    });
    child.on("error", (error) => {
      settle();
      reject(error);
    });
    child.on("close", (code, signal) => {
      settle();
      if (options.signal?.aborted) return reject(options.signal.reason);
      if (code === 0) return resolve({ output, bootMs: markMs, clock: clockSpan(output, clockLinesAtMs) });
      const late = performance.now() - started >= options.timeoutMs ? ` after ${options.timeoutMs / 1000} s, its limit` : "";
      const said = (errors + output).trim().slice(-600);
      reject(new Error(`${command[0]} ended with ${signal ?? `exit code ${code}`}${late}; it said last: ${said}`));
    });
  });
}

/** The guest program prints its clock first and last: whether its seconds are the host's can be seen. */
function clockSpan(output: string, atMs: readonly number[]): SessionResult["clock"] {
  const said = [...output.matchAll(CLOCK_LINE)].map(([, ns]) => Number(ns));
  if (said.length < 2) return null;
  return { guestMs: (said.at(-1)! - said[0]!) / 1e6, hostMs: atMs[said.length - 1]! - atMs[0]! };
}

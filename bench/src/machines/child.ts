// Runs a contender's program as a child process, and times what it prints. What must stay true: whatever ends the wait, the child is
// gone afterwards; its engine processes follow it.

import { type ChildProcess, spawn } from "node:child_process";
import type { Command } from "../contender.js";

export interface ChildOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Text whose first appearance is timed. */
  readonly mark?: string;
}

export interface ChildResult {
  /** All that it printed: for a machine, the guest's console. */
  readonly output: string;
  /** Process start to the first appearance of `mark`; null when it did not appear. */
  readonly markMs: number | null;
  /** Since process start, in milliseconds: our own first line, a created machine. Null for programs that do not say. */
  readonly phases: { readonly modulesMs: number; readonly createdMs: number } | null;
  /** What the guest's clock and the host's said of the same span, in milliseconds; null when the program did not say. */
  readonly clock: { readonly guestMs: number; readonly hostMs: number } | null;
}

/**
 * What a shell may ask of every Node program, and no other contender is asked: to read further certificates, which takes Node 50 ms before its
 * program begins, and options.
 */
const ASKED_OF_NODE = { NODE_EXTRA_CA_CERTS: undefined, NODE_OPTIONS: undefined };

const CLOCK_LINE = /^# clock (\d+)\r?$/gm;

/**
 * Run a program to its end and collect what it prints.
 * @throws Error when it does not end with 0 within `timeoutMs`, with its last output; the signal's reason when aborted
 */
export async function runChild(command: Command, options: ChildOptions): Promise<ChildResult> {
  const child = new Child(command, options);
  await child.ended;
  return { output: child.output, markMs: child.markMs, phases: child.phases, clock: child.clock };
}

/**
 * Run a program until it has printed `mark`, call `then`, and kill it.
 * @throws as `runChild`, when it ends before
 */
export async function runUntilMark<T>(
  command: Command,
  options: ChildOptions & { readonly mark: string },
  then: (pid: number, markMs: number) => Promise<T>,
): Promise<T> {
  const child = new Child(command, options);
  try {
    await Promise.race([child.marked, child.ended]);
    if (child.markMs === null) throw new Error(`${command.words[0]} ended before it printed "${options.mark}"`);
    return await then(child.pid, child.markMs);
  } finally {
    child.kill();
    await child.ended.catch(() => {});
  }
}

class Child {
  output = "";
  markMs: number | null = null;
  /** Settles when the mark has been printed; never rejects. */
  readonly marked: Promise<void>;
  /** Rejects for any end but 0. */
  readonly ended: Promise<void>;
  readonly #process: ChildProcess;
  #errors = "";
  readonly #clockLinesAtMs: number[] = [];

  constructor({ words, env }: Command, { timeoutMs, signal, mark }: ChildOptions) {
    signal?.throwIfAborted();
    const started = performance.now();
    const surroundings = { ...process.env, ...ASKED_OF_NODE, ...env };
    const child = spawn(words[0]!, words.slice(1), { stdio: ["ignore", "pipe", "pipe"], env: surroundings });
    this.#process = child;
    const kill = () => this.kill();
    const timer = setTimeout(kill, timeoutMs);
    signal?.addEventListener("abort", kill, { once: true });
    child.stderr.on("data", (chunk: Buffer) => (this.#errors = (this.#errors + chunk.toString("latin1")).slice(-4096)));
    this.marked = new Promise((resolve) => {
      child.stdout.on("data", (chunk: Buffer) => {
        const now = performance.now();
        this.output += chunk.toString("latin1");
        while (this.#clockLinesAtMs.length < (this.output.match(CLOCK_LINE)?.length ?? 0)) this.#clockLinesAtMs.push(now);
        if (mark === undefined || this.markMs !== null || !this.output.includes(mark)) return;
        this.markMs = now - started;
        resolve();
      });
    });
    this.ended = new Promise<void>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, killedBy) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        if (code === 0) return resolve();
        const late = performance.now() - started >= timeoutMs ? ` after ${timeoutMs / 1000} s, its limit` : "";
        const said = (this.#errors + this.output).trim().slice(-600);
        reject(new Error(`${words[0]} ended with ${killedBy ?? `exit code ${code}`}${late}; it said last: ${said}`));
      });
    }).finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", kill);
    });
    this.ended.catch(() => {}); // whoever waits hears of it; a mark may come first
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** The guest program prints its clock first and last: whether its seconds are the host's can be seen. */
  get clock(): ChildResult["clock"] {
    const said = [...this.output.matchAll(CLOCK_LINE)].map(([, ns]) => Number(ns));
    const atMs = this.#clockLinesAtMs;
    if (said.length < 2) return null;
    return { guestMs: (said.at(-1)! - said[0]!) / 1e6, hostMs: atMs[said.length - 1]! - atMs[0]! };
  }

  get phases(): ChildResult["phases"] {
    const said = /^# phases ([\d.]+) ([\d.]+)$/m.exec(this.#errors);
    return said ? { modulesMs: Number(said[1]), createdMs: Number(said[2]) } : null;
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}

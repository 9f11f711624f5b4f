// Whatever runs the guest programs: the host itself, a Ringzero backend, QEMU. One session is one boot (or, on the host, one process).
// What must stay true: every contender runs the same binary with the same arguments, and a session leaves nothing behind.

import { spawn } from "node:child_process";

export interface Session {
  /** Path of the static benchmark binary on the host. */
  readonly binary: string;
  /** Path of a static BusyBox on the host. */
  readonly busybox: string;
  readonly kernel: string;
  /** Initramfs that runs the binary with `programArguments`, prints "userspace is up" first and powers off. */
  readonly initrd: string;
  readonly programArguments: readonly string[];
  readonly memoryMiB: number;
  readonly timeoutMs: number;
}

export interface SessionResult {
  readonly output: string;
  /** Process start to the first userspace line; null on the host. */
  readonly bootMs: number | null;
}

export interface Contender {
  /** Column title; also the key in JSON. */
  readonly name: string;
  /** For the report: name and version. */
  describe(): Promise<string>;
  /** Null when it can run here, else why not. */
  unavailable(): Promise<string | null>;
  run(session: Session): Promise<SessionResult>;
}

/**
 * Run a program, collect what it prints, and note when `mark` first appeared.
 * @throws Error when it does not end with 0 within `timeoutMs`, with its last output
 */
export function runProcess(
  command: readonly string[],
  options: { readonly timeoutMs: number; readonly mark?: string; readonly env?: NodeJS.ProcessEnv },
): Promise<{ output: string; markMs: number | null }> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(command[0]!, command.slice(1), {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
    });
    let output = "";
    let errors = "";
    let markMs: number | null = null;
    const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs);
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString("latin1");
      if (options.mark && markMs === null && output.includes(options.mark)) markMs = performance.now() - started;
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString("latin1");
    });
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve({ output, markMs });
      else {
        const end = `${signal ?? `exit code ${code}`}`;
        reject(new Error(`${command[0]} ended with ${end}; it said last: ${(errors + output).slice(-600)}`));
      }
    });
  });
}

// Runs the real command as a process of its own, with a machine on the fake backend: its guest is a script of exits.
// The fake is found as any plugin is: the command is run in the folder of a program whose package.json names @ringzero/testing.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type FakeStep, fakeGuest } from "@ringzero/testing";

export const CLI_FOLDER = fileURLToPath(new URL("../../", import.meta.url));
export const COMMAND = join(CLI_FOLDER, "bin", "ringzero.js");

/** A program that uses the fakes; they are for whoever names them, and are never discovered by themselves. */
export const PROGRAM_FOLDER = mkdtempSync(join(tmpdir(), "ringzero-program-"));
writeFileSync(
  join(PROGRAM_FOLDER, "package.json"),
  JSON.stringify({ name: "program", ringzero: { plugins: ["@ringzero/testing"] } }),
);
mkdirSync(join(PROGRAM_FOLDER, "node_modules"));
symlinkSync(join(CLI_FOLDER, "node_modules", "@ringzero"), join(PROGRAM_FOLDER, "node_modules", "@ringzero"));
process.on("exit", () => rmSync(PROGRAM_FOLDER, { recursive: true, force: true }));

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Decoded as Latin-1: one character a byte. */
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder of files for one suite. */
export class Scratch {
  readonly folder = mkdtempSync(join(tmpdir(), "ringzero-cli-"));

  file(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  /** A specification of a machine on the fake backend. */
  spec(steps: readonly FakeStep[], more: Readonly<Record<string, unknown>> = {}): string {
    const boot = { kind: "firmware", image: this.file("rom.bin", new Uint8Array(4096)) };
    return this.file(
      "machine.json",
      JSON.stringify({ memory: "16MiB", platform: "fake-pc", boot, engine: fakeGuest(steps), ...more }),
    );
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function startCommand(args: readonly string[], stdin: "pipe" | "ignore" = "ignore"): ChildProcess {
  return spawn(process.execPath, [COMMAND, ...args], { cwd: PROGRAM_FOLDER, stdio: [stdin, "pipe", "pipe"] });
}

export function ended(child: ChildProcess): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("latin1").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
}

export function runCommand(...args: string[]): Promise<Ended> {
  return ended(startCommand(args));
}

/** Resolves when the stream has said `text`. */
export function said(stream: NodeJS.ReadableStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let all = "";
    stream.on("data", (chunk: Buffer | string) => {
      all += chunk.toString();
      if (all.includes(text)) resolve();
    });
    stream.on("end", () => reject(new Error(`the output ended without ${JSON.stringify(text)}: ${JSON.stringify(all)}`)));
  });
}

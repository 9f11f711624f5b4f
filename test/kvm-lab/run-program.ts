// Programs of the host and of the lab: where one is, and one run to its end, with what it printed, which the console also gets.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

export interface ProgramResult {
  readonly code: number | null;
  readonly output: string;
}

export function runProgram(program: string, words: readonly string[]): Promise<ProgramResult> {
  return new Promise((settle, reject) => {
    const child = spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (bytes: Buffer) => {
      output += bytes;
      process.stdout.write(bytes);
    });
    child.once("error", reject);
    child.once("close", (code) => settle({ code, output }));
  });
}

/** Path of a program by its name, or nothing where there is none. */
export const programNamed = (name: string): string | undefined =>
  (process.env["PATH"] ?? "")
    .split(":")
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));

/** What a test program says that it counted, where it ended well and something passed. */
export function passedCount({ code, output }: ProgramResult): { readonly text: string; readonly passed: number } | null {
  const count = /(\d+) passed, (\d+) failed/.exec(output);
  return code === 0 && count && Number(count[1]) > 0 ? { text: count[0], passed: Number(count[1]) } : null;
}

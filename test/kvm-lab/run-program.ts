// A program to its end, with what it printed, which the console also gets.

import { spawn } from "node:child_process";

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

// Archives for tests, and the host's programs that read them.

import { spawnSync } from "node:child_process";
import { CpioArchive } from "@ringzero/boot";

export function cpioOf(files: Readonly<Record<string, string>>): Uint8Array {
  const archive = new CpioArchive();
  for (const [path, content] of Object.entries(files)) archive.file(path, content);
  return archive.toBytes();
}

/** Whether the host has a program. A test that needs one it has not says `skipped: NAME` and counts as pending. */
export function hostHas(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

/** Skip the running test unless the host has the program. */
export function needs(test: Mocha.Context, program: string): void {
  if (hostHas(program)) return;
  console.log(`      skipped: ${program}`);
  test.skip();
}

/** Run a program of the host with bytes on its input. @throws Error with what it complained about */
export function pipeThrough(program: string, args: readonly string[], input: Uint8Array, cwd?: string): Buffer {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    input,
    maxBuffer: 1 << 28,
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr.toString()}`);
  return stdout;
}

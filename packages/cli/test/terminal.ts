// A pseudo-terminal for tests, made by util-linux's `script`: no package that needs a compiler.

import { spawn, spawnSync } from "node:child_process";
import { PROGRAM_FOLDER, said } from "./scripted-run.js";

/** Whether there is one; says so when not. */
export function haveTerminal(): boolean {
  if (spawnSync("script", ["--version"]).status === 0) return true;
  console.log("        skipped: util-linux's script is not installed, and makes the pseudo-terminal");
  return false;
}

/**
 * Run a shell command on a new terminal.
 * @param use  presses keys and waits for output; the command is waited for after it
 * @returns everything that was shown
 */
export async function onTerminal(
  shell: string,
  use: (terminal: { press(keys: string): void; said(text: string): Promise<void>; pid: number }) => Promise<void>,
): Promise<string> {
  const child = spawn("script", ["-qefc", shell, "/dev/null"], {
    cwd: PROGRAM_FOLDER,
    stdio: ["pipe", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString("latin1")));
  const closed = new Promise<void>((resolve) => child.on("close", () => resolve()));
  try {
    await use({
      press: (keys) => void child.stdin.write(keys),
      said: (text) => said(child.stdout, text),
      pid: child.pid!,
    });
    await closed;
  } finally {
    child.kill("SIGKILL");
  }
  return output;
}

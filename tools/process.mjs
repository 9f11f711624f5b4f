// Runs other programs for the tools here: inherited output, or collected output, and never a shell.

import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the workspace. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The pinned package manager, through npx: present wherever npm is. */
export const PNPM = ["npx", "--yes", "pnpm@12.18.0"];

/** A program of the workspace's own node_modules. */
export const bin = (name) => join(ROOT, "node_modules", ".bin", name);

/**
 * Run to the end.
 * @param {string[]} command
 * @param {{ collect?: boolean, cwd?: string, env?: Record<string, string>, quiet?: boolean }} [options] collect: also return the output
 * @returns {Promise<{ code: number, output: string }>} code 127 when the program is not there
 */
export function run([program, ...args], { collect = false, cwd = ROOT, env = {}, quiet = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", collect ? "pipe" : "inherit", collect ? "pipe" : "inherit"],
    });
    let output = "";
    const take = (to) => (chunk) => {
      output += chunk;
      if (!quiet) to.write(chunk);
    };
    child.stdout?.on("data", take(process.stdout));
    child.stderr?.on("data", take(process.stderr));
    child.on("error", (error) => resolve({ code: error.code === "ENOENT" ? 127 : 126, output: String(error) }));
    child.on("close", (code, signal) => resolve({ code: code ?? (signal ? 128 : 1), output }));
  });
}

// Builds the guest benchmark programs (bench/guest/*.c) into one static binary, which then runs on the host, in our guests and in
// QEMU's alike. Built once per content of the sources, in the cache folder of the project.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, readdir, readFile, rename } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Folder of the C sources. */
export const GUEST_SOURCES = fileURLToPath(new URL("../guest", import.meta.url));

export const CACHE_FOLDER = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "ringzero", "bench");

/**
 * @returns path of the static binary
 * @throws Error with the compiler's message when gcc is missing or fails
 */
export async function buildGuestPrograms(): Promise<string> {
  const names = (await readdir(GUEST_SOURCES)).filter((name) => /\.[ch]$/.test(name)).sort();
  const hash = createHash("sha256");
  for (const name of names) hash.update(name).update(await readFile(join(GUEST_SOURCES, name)));
  await mkdir(CACHE_FOLDER, { recursive: true });
  const binary = join(CACHE_FOLDER, `bench-${hash.digest("hex").slice(0, 16)}`);
  const there = await access(binary).then(
    () => true,
    () => false,
  );
  if (there) return binary;
  const aside = `${binary}.${process.pid}`;
  const sources = names.filter((name) => name.endsWith(".c")).map((name) => join(GUEST_SOURCES, name));
  await run("gcc", ["-O2", "-static", "-o", aside, ...sources, "-lm", "-pthread"]);
  await rename(aside, binary);
  return binary;
}

/** Value lines of the guest program: `name value unit`. "-" means that the machine cannot run it. */
export function parseValues(output: string): Map<string, { readonly value: number; readonly unit: string }> {
  const values = new Map<string, { value: number; unit: string }>();
  for (const [, name, value, unit] of output.matchAll(/^([a-z0-9-]+) ([0-9.e+]+) (ns\/\S+)\s*$/gm)) {
    values.set(name!, { value: Number(value), unit: unit! });
  }
  return values;
}

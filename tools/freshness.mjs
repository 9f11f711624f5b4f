// Decides whether a build step has to run again: a digest of its inputs' names and contents, kept beside its output. Sizes and times
// are not enough: version control and copies may keep both while the text changes.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "./process.mjs";

const SKIP = new Set(["node_modules", "dist", "bundle", "build", ".git", ".cache"]);

/** Files below `folder` whose path `wanted` accepts, sorted. */
export function filesBelow(folder, wanted) {
  const found = [];
  const visit = (at) => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      if (entry.isDirectory()) {
        if (!SKIP.has(entry.name)) visit(join(at, entry.name));
      } else if (wanted(join(at, entry.name))) found.push(join(at, entry.name));
    }
  };
  if (existsSync(folder)) visit(folder);
  return found.sort();
}

function digest(files) {
  const hash = createHash("sha256").update(process.version);
  for (const file of files) {
    hash.update(`${file}\0`).update(readFileSync(file)).update("\0");
  }
  return hash.digest("hex");
}

/**
 * Run `step` unless it succeeded before on the same inputs.
 * @param {string} name     names the stamp, node_modules/.ringzero/NAME
 * @param {string[]} inputs files
 * @param {string[]} outputs paths that must exist for the stamp to count
 * @param {() => Promise<void>} step
 */
export async function whenChanged(name, inputs, outputs, step) {
  const stamp = join(ROOT, "node_modules", ".ringzero", name);
  const now = digest(inputs);
  const fresh = existsSync(stamp) && readFileSync(stamp, "utf8") === now && outputs.every((path) => existsSync(join(ROOT, path)));
  if (fresh) return;
  await step();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, now);
}

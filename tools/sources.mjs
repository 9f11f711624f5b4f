// Which files and packages the tools look at.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { filesBelow } from "./freshness.mjs";
import { ROOT } from "./process.mjs";

/** Every package of the workspace, with its folder relative to the root. */
export function workspacePackages() {
  const folders = ["bench", "examples", "test"];
  for (const group of ["packages", "backends", "plugins"]) {
    if (existsSync(join(ROOT, group))) folders.push(...readdirSync(join(ROOT, group)).map((name) => `${group}/${name}`));
  }
  return folders
    .filter((at) => existsSync(join(ROOT, at, "package.json")))
    .map((at) => ({ at, folder: join(ROOT, at), manifest: JSON.parse(readFileSync(join(ROOT, at, "package.json"), "utf8")) }));
}

export const publishable = () => workspacePackages().filter(({ manifest }) => manifest.private !== true);

export const cppFiles = () => filesBelow(ROOT, (path) => /\.(cpp|h)$/.test(path));

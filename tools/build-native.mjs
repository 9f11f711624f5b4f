// Builds every package that has a `build:native` script, in dependency order: @ringzero/native first, then the backends.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, run } from "./process.mjs";

const folders = [join(ROOT, "packages/native")];
for (const group of ["backends", "plugins"]) {
  if (existsSync(join(ROOT, group))) folders.push(...readdirSync(join(ROOT, group)).map((name) => join(ROOT, group, name)));
}
for (const cwd of folders) {
  if (!existsSync(join(cwd, "package.json"))) continue;
  if (!JSON.parse(readFileSync(join(cwd, "package.json"), "utf8")).scripts?.["build:native"]) continue;
  const { code } = await run(["npm", "run", "--silent", "build:native"], { cwd });
  if (code !== 0) {
    console.error(`build:native failed in ${cwd.slice(ROOT.length + 1)} with exit code ${code}`);
    process.exit(1);
  }
}

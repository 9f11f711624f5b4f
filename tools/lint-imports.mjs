// The import rule: imports point toward api. What each layer may name stands in ALLOWED; outside its own package only cli, and what
// is not shipped (tests, bench, examples, tools), names a concrete backend or plugin. tsyringe stays in core. No drawer folders.

import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { filesBelow } from "./freshness.mjs";
import { ROOT } from "./process.mjs";
import { workspacePackages } from "./sources.mjs";

/** Shipped package -> @ringzero packages that its src/ may import. */
const ALLOWED = {
  api: [],
  core: ["api"],
  devices: ["api"],
  boot: ["api"],
  native: ["api"],
  testing: ["api"],
  conformance: ["api", "testing"],
  cli: null, // the shell where everything is put together
  bench: null,
};
const BACKEND = ["api", "native"];
const PLUGIN = ["api"];
const DRAWERS = new Set(["utils", "util", "common", "helpers", "types", "misc"]);
const IMPORT = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+|\brequire\s*\(\s*)["']([^"']+)["']/g;

function allowedFor(at, name) {
  if (at.startsWith("backends/")) return BACKEND;
  if (at.startsWith("plugins/")) return PLUGIN;
  const short = name.replace("@ringzero/", "");
  return short in ALLOWED ? ALLOWED[short] : null;
}

/** @returns {string[]} one line per violation */
export function importProblems() {
  const problems = [];
  for (const { at, folder, manifest } of workspacePackages()) {
    const allowed = allowedFor(at, manifest.name);
    for (const file of filesBelow(folder, (path) => /\.(ts|mts|js|mjs|cjs)$/.test(path))) {
      const inside = relative(folder, file);
      const shipped = inside.startsWith("src/");
      for (const [, specifier] of readFileSync(file, "utf8").matchAll(IMPORT)) {
        const where = `${relative(ROOT, file)}: imports ${specifier}`;
        if (/^(tsyringe|reflect-metadata)(\/|$)/.test(specifier) && manifest.name !== "@ringzero/core")
          problems.push(`${where}; only core may`);
        const target = /^@ringzero\/([a-z-]+)/.exec(specifier)?.[1];
        if (target && shipped && allowed && `@ringzero/${target}` !== manifest.name && !allowed.includes(target)) {
          problems.push(
            `${where}; ${manifest.name} may import ${allowed.map((one) => `@ringzero/${one}`).join(", ") || "no other package of ours"}`,
          );
        }
        if (/^\.\.?\//.test(specifier) && relative(folder, new URL(specifier, `file://${file}`).pathname).startsWith("..")) {
          problems.push(`${where}; reach another package by its name`);
        }
      }
    }
  }
  const every = filesBelow(ROOT, (path) => /\.(ts|cpp|h|mjs)$/.test(path)).map((path) => relative(ROOT, path));
  const drawers = new Set(
    every.flatMap((path) =>
      path
        .split("/")
        .slice(0, -1)
        .map((part, i, all) => (DRAWERS.has(part) ? all.slice(0, i + 1).join("/") : null)),
    ),
  );
  for (const drawer of drawers)
    if (drawer) problems.push(`${drawer}/: name a folder for what is in it, not "${drawer.split("/").at(-1)}"`);
  return problems;
}

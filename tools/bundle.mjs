// Joins the modules that tsc wrote into dist/ to one file for each package that a program loads when it starts a machine, in bundle/, with esbuild. A module
// costs the loader of Node a millisecond, in the program and again in each machine's device worker. When it is loaded it does what is to do.
// What must stay true: packages import each other by name, also from a bundle, so that there is one copy of each (docs/decisions/0022-bundles.md).

import { rmSync } from "node:fs";
import { basename, join } from "node:path";
import { filesBelow, whenChanged } from "./freshness.mjs";
import { ROOT } from "./process.mjs";

/** Package -> modules of dist/ that are loaded by name: by other packages, as a program, or as a worker. */
const ENTRIES = {
  "packages/api": ["index"],
  "packages/core": ["index", "host/worker-main"],
  "packages/boot": ["index"],
  "packages/devices": ["index"],
  "packages/native": ["index"],
  "packages/cli": ["index"],
  "backends/bt": ["index"],
  "backends/kvm": ["index"],
};

/** Each entry for itself: whoever loads one does not load another, but for a worker, which shares no modules with anybody. */
async function bundle(at, entries) {
  const { build } = await import("esbuild");
  rmSync(join(ROOT, at, "bundle"), { recursive: true, force: true });
  for (const entry of entries) {
    await build({
      absWorkingDir: join(ROOT, at),
      entryPoints: [`dist/${entry}.js`],
      entryNames: "[name]",
      outdir: "bundle",
      bundle: true,
      packages: "external",
      format: "esm",
      platform: "node",
      target: "node20.19",
      sourcemap: true,
      logLevel: "warning",
    });
  }
}

const inputs = Object.keys(ENTRIES).flatMap((at) => filesBelow(join(ROOT, at, "dist"), (path) => path.endsWith(".js")));
const outputs = Object.entries(ENTRIES).flatMap(([at, entries]) => entries.map((entry) => `${at}/bundle/${basename(entry)}.js`));
const tools = ["tools/bundle.mjs", "package.json"].map((path) => join(ROOT, path));
await whenChanged("bundles", [...inputs, ...tools], outputs, async () => {
  await Promise.all(Object.entries(ENTRIES).map(([at, entries]) => bundle(at, entries)));
});

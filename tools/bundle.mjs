// Joins the modules that tsc wrote into dist/ to one file for each package that a program loads when it starts a machine, in bundle/, with esbuild. A module
// costs the loader of Node a millisecond, in the program and again in each machine's device worker. When it is loaded it does what is to do.
// Other people's packages that are imported go in too, with their licenses; what is loaded by `require` when it is needed stays outside.
// What must stay true: packages of ours import each other by name, so that there is one copy of each (docs/decisions/0022-bundles.md).

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
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
  const folders = new Set();
  for (const entry of entries) {
    const { metafile } = await build({
      absWorkingDir: join(ROOT, at),
      entryPoints: [`dist/${entry}.js`],
      entryNames: "[name]",
      outdir: "bundle",
      bundle: true,
      external: ["@ringzero/*"],
      format: "esm",
      platform: "node",
      target: "node20.19",
      sourcemap: true,
      logLevel: "warning",
      metafile: true,
    });
    for (const input of Object.keys(metafile.inputs)) {
      const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
      if (folder) folders.add(join(ROOT, at, folder));
    }
  }
  if (folders.size > 0) writeFileSync(join(ROOT, at, "bundle/LICENSES.txt"), licensesOf([...folders].sort()));
}

/** What the licenses of other people's packages ask for, wherever their code goes: their text. */
function licensesOf(folders) {
  return folders
    .map((folder) => {
      const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const file = readdirSync(folder).find((each) => /^(licen[cs]e|copying)/i.test(each));
      if (!file) throw new Error(`${name} ${version} is joined into a bundle, and has no file with its license`);
      return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
    })
    .join(`\n${"-".repeat(78)}\n\n`);
}

const inputs = Object.keys(ENTRIES).flatMap((at) => filesBelow(join(ROOT, at, "dist"), (path) => path.endsWith(".js")));
const outputs = Object.entries(ENTRIES).flatMap(([at, entries]) => entries.map((entry) => `${at}/bundle/${basename(entry)}.js`));
const tools = ["tools/bundle.mjs", "package.json", "pnpm-lock.yaml"].map((path) => join(ROOT, path));
await whenChanged("bundles", [...inputs, ...tools], outputs, async () => {
  await Promise.all(Object.entries(ENTRIES).map(([at, entries]) => bundle(at, entries)));
});

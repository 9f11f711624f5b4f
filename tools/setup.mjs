// Makes a clone runnable: installs packages, builds TypeScript and the native parts, each only when something changed.
// What must stay true: needs nothing but Node and npm to start (no import from node_modules), and says what is missing for the rest.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { filesBelow, whenChanged } from "./freshness.mjs";
import { bin, PNPM, ROOT, run } from "./process.mjs";
import { publishable, workspacePackages } from "./sources.mjs";

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) fail(`Node 20.19 or later is needed, and this is ${process.versions.node}`);
if (process.platform !== "linux" || process.arch !== "x64")
  fail(`Ringzero runs on Linux on x86-64, and this is ${process.platform} on ${process.arch}`);

function fail(message) {
  console.error(`ringzero: ${message}`);
  process.exit(1);
}

async function step(what, command) {
  console.error(`ringzero: ${what} …`);
  const { code, output } = await run(command, { collect: true, quiet: true });
  if (code === 0) return;
  console.error(output);
  fail(`${what} failed (${command.join(" ")}: exit code ${code})`);
}

/** Where each package finds what it depends on: one that is missing (an install cut short, a folder removed) means to install again. */
function dependencyLinks() {
  return workspacePackages().flatMap(({ at, manifest }) =>
    Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).map((name) => `${at}/node_modules/${name}`),
  );
}

const manifests = filesBelow(ROOT, (path) => path.endsWith("/package.json"));
await whenChanged(
  "install",
  [...manifests, join(ROOT, "pnpm-lock.yaml"), join(ROOT, "pnpm-workspace.yaml")],
  ["node_modules/.bin/tsc", ...dependencyLinks()],
  () => step("installing packages", [...PNPM, "install", "--frozen-lockfile", "--reporter=silent"]),
);

const typescript = filesBelow(ROOT, (path) => /\.tsx?$|tsconfig.*\.json$/.test(path));
const entries = publishable().map(({ at }) => `${at}/dist/index.js`);
// tsc trusts its notes about what it wrote; where somebody removed that, it has to write everything again.
const rebuild = entries.every((path) => existsSync(join(ROOT, path))) ? [] : ["--force"];
await whenChanged("typescript", typescript, entries, () => step("building TypeScript", [bin("tsc"), "-b", ...rebuild]));
await import("./bundle.mjs");

const native = filesBelow(
  ROOT,
  (path) => /\.(cpp|cc|h|inc|cmake|S|c)$|CMakeLists\.txt$/.test(path) && !path.includes("/bench/guest/"),
);
// A build folder that somebody removed is built again, whatever the stamp says.
const engines = ["backends/bt/build/native/ringzero-engine", "backends/kvm/build/native/ringzero_kvm.node"];
await whenChanged("native", native, engines, async () => {
  for (const [program, what] of [
    ["g++", "a C++ compiler"],
    ["cmake", "CMake"],
  ]) {
    if ((await run([program, "--version"], { collect: true, quiet: true })).code !== 0) {
      fail(`${what} is needed to build the engine: install ${program} (Debian: apt-get install g++ cmake make)`);
    }
  }
  await step("building the native parts (the first time takes some minutes)", [process.execPath, "tools/build-native.mjs"]);
});

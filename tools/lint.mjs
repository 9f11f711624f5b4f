// pnpm lint: biome, the import rule, publint over every package that is published, generated files, clang-format where there is one.
// Each is one test of the final "N passed, N failed".

import { importProblems } from "./lint-imports.mjs";
import { cppFiles, publishable } from "./sources.mjs";
import { bin, run } from "./process.mjs";
import { printTotals } from "./test-counts.mjs";

async function biome() {
  return (await run([bin("biome"), "check", "--error-on-warnings", "."])).code === 0
    ? []
    : ["biome found something; pnpm format mends most"];
}

/** Major versions of clang-format disagree on details; this one has the say. */
const CLANG_FORMAT_MAJOR = "14";

async function clangFormat() {
  const { code: missing, output: version } = await run(["clang-format", "--version"], { collect: true, quiet: true });
  const major = /version (\d+)/.exec(version)?.[1];
  if (missing !== 0 || major !== CLANG_FORMAT_MAJOR) {
    console.log(
      `skipped: clang-format (${missing !== 0 ? "not installed" : `version ${major}`}; version ${CLANG_FORMAT_MAJOR} is needed)`,
    );
    return null;
  }
  const check = ["clang-format", "--dry-run", "-Werror", "--ferror-limit=1", ...cppFiles()];
  const { code, output } = await run(check, { collect: true, quiet: true });
  if (code === 0) return [];
  const files = [...output.matchAll(/^(.*?):\d+:\d+: error/gm)].map((match) => match[1]);
  return [...new Set(files)].map((file) => `${file} is not formatted; pnpm format mends it`);
}

async function packages() {
  const { publint } = await import("publint");
  const { formatMessage } = await import("publint/utils");
  const problems = [];
  for (const { folder, manifest } of publishable()) {
    const { messages } = await publint({ pkgDir: folder, pack: false, strict: true });
    problems.push(...messages.map((message) => `${manifest.name}: ${formatMessage(message, manifest, { color: false })}`));
  }
  return problems;
}

async function generated() {
  const { staleDocs } = await import("./generate-docs.mjs");
  return (await staleDocs()).map((path) => `${path} is not what its source says; pnpm run docs writes it`);
}

const checks = {
  biome,
  "import rule": importProblems,
  publint: packages,
  "generated files": generated,
  "clang-format": clangFormat,
};
let passed = 0;
let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  const problems = await check();
  if (problems === null) continue;
  if (problems.length === 0) passed += 1;
  else failed += 1;
  console.log(`${problems.length === 0 ? "ok" : "FAILED"}: ${name}`);
  for (const problem of problems) console.log(`  ${problem}`);
}
printTotals({ passed, failed });

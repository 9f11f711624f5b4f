// npm test: sets up, then runs lint, every mocha suite, every C++ test program, the native parts built with sanitizers, and the short
// form of the KVM lab. At the end it says once more what failed, and prints the sum as its last line.
// `node tools/test.mjs NAME…` runs only those parts: lint, mocha, native, sanitized, lab.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { failuresIn } from "./failures.mjs";
import { bin, ROOT, run } from "./process.mjs";
import { countLine, printTotals, sumCounts } from "./test-counts.mjs";

const setup = await run([process.execPath, "tools/setup.mjs"]);
if (setup.code !== 0) {
  console.log("set-up failed, nothing was tested");
  printTotals({ passed: 0, failed: 1 });
  process.exit(1);
}

const failures = [];

/** One program whose output ends in a count; one that says nothing counts as failed. */
async function counted(name, command, cwd = ROOT) {
  console.log(`\n== ${name}`);
  const { code, output } = await run(command, { collect: true, cwd });
  const count = countLine(output) ?? { passed: 0, failed: 0 };
  if (code === 0 && count.failed === 0) return count;
  failures.push(`== ${name} ended with exit code ${code}; what failed:`, ...failuresIn(output));
  return { passed: count.passed, failed: Math.max(count.failed, 1) };
}

function nativeTestFolders() {
  const found = [];
  for (const group of ["packages", "backends", "plugins"]) {
    if (!existsSync(join(ROOT, group))) continue;
    for (const name of readdirSync(join(ROOT, group))) {
      const manifest = join(ROOT, group, name, "package.json");
      if (existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).scripts?.["test:native"])
        found.push(join(group, name));
    }
  }
  return found;
}

const parts = {
  lint: () => counted("lint", [process.execPath, "tools/lint.mjs"]),
  mocha: () => counted("mocha", [bin("mocha"), "--config", ".mocharc.json"]),
  native: async () => {
    const counts = [];
    for (const folder of nativeTestFolders()) {
      counts.push(await counted(`native tests of ${folder}`, ["npm", "run", "--silent", "test:native"], join(ROOT, folder)));
    }
    return sumCounts(counts);
  },
  sanitized: () => counted("tests with sanitizers", [process.execPath, "tools/sanitized.mjs"]),
  lab: () => counted("KVM lab", [process.execPath, "test/build/kvm-lab/main.js", "--quick", "--minutes", "12"]),
};
const wanted = process.argv.slice(2);
const counts = [];
for (const [name, part] of Object.entries(parts)) {
  if (wanted.length === 0 || wanted.includes(name)) counts.push(await part());
}
console.log(`\n${failures.join("\n")}`);
printTotals(sumCounts(counts));

// npm run test:sanitized: builds the engine and its tests with AddressSanitizer and UndefinedBehaviorSanitizer, and what threads share
// with ThreadSanitizer, in folders of their own, and runs the tests, each for a bounded time; then the SDK's tests and a stock kernel on
// the engine with AddressSanitizer. What a sanitizer finds ends the program, which fails the test. Last line: "N passed, N failed". Why so:
// docs/decisions/0017-which-sanitizer-sees-what.md. A part of `npm test`, behind set-up: it needs the addon and compiled tests.

import { existsSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { bin, ROOT, run } from "./process.mjs";
import { countLine, printTotals, sumCounts } from "./test-counts.mjs";

/** The folder that `npm run fuzz -- --sanitize` uses too. */
export const SANITIZED = join(ROOT, "build/sanitized");

/** What runs, and with which arguments where the ones of `npm test` would take too long. */
const TESTS = [
  ["engine_cpu_test"],
  ["engine_decode_test"],
  ["engine_diff_test"],
  ["engine_golden_test"],
  ["engine_guest_test", "--verify", "test/guests"],
  ["engine_guest_test", "--no-opt", "--stress-tlb", "3", "--stress-code", "7", "test/guests"],
  ["engine_irq_test"],
  ["engine_outside_test"],
  ["engine_rights_test"],
  ["engine_segments_test"],
  ["engine_step_test"],
  ["engine_verify_test", "--seconds", "10"],
  ["transport_test"],
];

/** Likewise with ThreadSanitizer. */
const THREADED = join(ROOT, "build/thread-sanitized");
const THREAD_TESTS = [["engine_irq_test"], ["transport_test"]];

/** What runs on the engine program, by the names of suites: whatever the backend promises, and stock kernels on one and two processors. */
const ENGINE = "ringzero-engine";
const SDK_SUITES = "bt (machine|backend|guest|engine)|stock Debian kernel on the binary translator|Linux on 2 processors [a-z]";

/** Configure and build `targets`. @returns null, or what went wrong */
export async function buildSanitized(targets, folder = SANITIZED, option = "RINGZERO_SANITIZE") {
  const ninja = (await run(["ninja", "--version"], { collect: true, quiet: true })).code === 0 ? ["-G", "Ninja"] : [];
  const configure = ["cmake", "-S", "backends/bt/native", "-B", folder, `-D${option}=ON`, ...ninja];
  const build = ["cmake", "--build", folder, "--parallel", "2", "--target", ...targets];
  for (const command of [configure, build]) {
    const { code, output } = await run(command, { collect: true, quiet: true });
    if (code !== 0) return output;
  }
  return null;
}

/** Whether this compiler comes with the sanitizers' libraries. */
async function compilerHasSanitizers() {
  for (const library of ["libasan.so", "libubsan.so", "libtsan.so"]) {
    const { code, output } = await run(["g++", `-print-file-name=${library}`], { collect: true, quiet: true });
    if (code !== 0 || output.trim() === library) return false; // a name without a path: not found
  }
  return true;
}

async function main() {
  if (!(await compilerHasSanitizers())) {
    console.log("skipped: g++ here has no libasan, libubsan or libtsan");
    console.log("0 passed, 0 failed"); // and exit code 0
    return;
  }
  const counts = await suite(SANITIZED, "RINGZERO_SANITIZE", TESTS);
  counts.push(await sdkSuites());
  counts.push(...(await suite(THREADED, "RINGZERO_TSAN", THREAD_TESTS)));
  printTotals(sumCounts(counts));
}

/** The SDK with the engine program that has sanitizers, and its own addon, for Node has none. */
async function sdkSuites() {
  const addon = "ringzero_bt.node";
  const made = join(ROOT, "backends/bt/build/native", addon);
  if (!existsSync(made)) {
    console.log(`no ${made}: npm run setup builds it`);
    return { passed: 0, failed: 1 };
  }
  const failure = await buildSanitized([ENGINE]);
  if (failure !== null) {
    console.log(`${failure}\nthe build of ${ENGINE} with sanitizers failed`);
    return { passed: 0, failed: 1 };
  }
  rmSync(join(SANITIZED, addon), { force: true });
  symlinkSync(made, join(SANITIZED, addon));
  console.log(`\n${ENGINE} under the SDK, with RINGZERO_SANITIZE`);
  const began = Date.now();
  const mocha = [bin("mocha"), "--config", ".mocharc.json", "--grep", SDK_SUITES];
  const { code, output } = await run(mocha, { collect: true, env: { RINGZERO_BT_NATIVE: SANITIZED } });
  console.log(`(${((Date.now() - began) / 1000).toFixed(1)} s)`);
  const count = countLine(output) ?? { passed: 0, failed: 0 };
  return code !== 0 && count.failed === 0 ? { passed: count.passed, failed: 1 } : count;
}

async function suite(folder, option, tests) {
  const failure = await buildSanitized([...new Set(tests.map(([name]) => name))], folder, option);
  if (failure !== null) {
    console.log(`${failure}\nthe build with ${option} failed`);
    return [{ passed: 0, failed: 1 }];
  }
  const counts = [];
  for (const [name, ...args] of tests) {
    console.log(`\n${[name, ...args].join(" ")}, with ${option}`);
    const began = Date.now();
    const { code, output } = await run([join(folder, name), ...args], { collect: true });
    const count = countLine(output);
    if (count && code === (count.failed > 0 ? 1 : 0)) counts.push(count);
    else {
      console.log(`${name} ended with code ${code}`);
      counts.push({ passed: count?.passed ?? 0, failed: (count?.failed ?? 0) + 1 });
    }
    console.log(`(${((Date.now() - began) / 1000).toFixed(1)} s)`);
  }
  return counts;
}

if (process.argv[1] === import.meta.filename) await main();

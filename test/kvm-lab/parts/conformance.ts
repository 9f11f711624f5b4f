// The conformance suites that third parties run: of each backend, and of moves between them.

import { fileURLToPath } from "node:url";
import type { Part } from "../part.js";
import { passedCount, runProgram } from "../run-program.js";

const MOCHA = "node_modules/mocha/bin/mocha.js";

/** @param name  of a file in suites/ */
export function suite(name: "bt" | "kvm" | "moves"): Part {
  return async (report) => {
    const file = fileURLToPath(new URL(`../suites/${name}.js`, import.meta.url));
    const words = [MOCHA, "--no-config", "--reporter", "tools/mocha-reporter.cjs", "--timeout", "180000", "--exit", file];
    const result = await runProgram(process.execPath, words);
    const count = passedCount(result);
    if (count) report.passed(`the suite of ${name}`, count.text);
    else report.failed(`the suite of ${name}`, `mocha ended with ${result.code}: ${result.output.slice(-1500)}`);
  };
}

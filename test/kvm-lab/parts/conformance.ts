// The conformance suites that third parties run: of each backend, and of moves between them.

import { fileURLToPath } from "node:url";
import type { Part } from "../part.js";
import { runProgram } from "../run-program.js";

const MOCHA = "node_modules/mocha/bin/mocha.js";

/** @param name  of a file in suites/ */
export function suite(name: "bt" | "kvm" | "moves"): Part {
  return async (report) => {
    const file = fileURLToPath(new URL(`../suites/${name}.js`, import.meta.url));
    const words = [MOCHA, "--no-config", "--reporter", "tools/mocha-reporter.cjs", "--timeout", "180000", "--exit", file];
    const { code, output } = await runProgram(process.execPath, words);
    const count = /(\d+) passed, (\d+) failed/.exec(output);
    if (code === 0 && count && Number(count[1]) > 0) report.passed(`the suite of ${name}`, count[0]);
    else report.failed(`the suite of ${name}`, `mocha ended with ${code}: ${output.slice(-1500)}`);
  };
}

// The conformance suite that third parties run, on both backends.

import { existsSync } from "node:fs";
import type { Reporter } from "../part.js";
import { runProgram } from "../run-program.js";

const MOCHA = "node_modules/mocha/bin/mocha.js";
const SUITES = { bt: "backends/bt/build/test/conformance.test.js", kvm: "backends/kvm/build/test/conformance.test.js" };

export async function conformance(report: Reporter): Promise<void> {
  for (const [name, file] of Object.entries(SUITES)) {
    if (!existsSync(file)) {
      report.failed(name, `${file} is not there`);
      continue;
    }
    const words = [MOCHA, "--no-config", "--reporter", "tools/mocha-reporter.cjs", "--timeout", "120000", "--exit", file];
    const { code, output } = await runProgram(process.execPath, words);
    const count = /(\d+) passed, (\d+) failed/.exec(output);
    if (code === 0 && count && Number(count[1]) > 0) report.passed(name, count[0]);
    else report.failed(name, `mocha ended with ${code}: ${output.slice(-1500)}`);
  }
}

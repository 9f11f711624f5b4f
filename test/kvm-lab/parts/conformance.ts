// The conformance suites that third parties run: of both backends, and of moves between them.

import { fileURLToPath } from "node:url";
import type { Reporter } from "../part.js";
import { runProgram } from "../run-program.js";

const MOCHA = "node_modules/mocha/bin/mocha.js";
const SUITES = { kvm: "suites/kvm.js", bt: "suites/bt.js", moves: "suites/moves.js" };

export async function conformance(report: Reporter): Promise<void> {
  for (const [name, path] of Object.entries(SUITES)) {
    const file = fileURLToPath(new URL(`../${path}`, import.meta.url));
    const words = [MOCHA, "--no-config", "--reporter", "tools/mocha-reporter.cjs", "--timeout", "120000", "--exit", file];
    const { code, output } = await runProgram(process.execPath, words);
    const count = /(\d+) passed, (\d+) failed/.exec(output);
    if (code === 0 && count && Number(count[1]) > 0) report.passed(name, count[0]);
    else report.failed(name, `mocha ended with ${code}: ${output.slice(-1500)}`);
  }
}

// pnpm stress [-- ROUNDS]: what `npm test` does in small, for as long as you like, with seeds of its own: guest programs and a stock
// kernel under the translator's stress switches, and the emitted-code verifier over random code. One round takes some ten minutes.
// A failure names its seed.

import { join } from "node:path";
import { bin, ROOT, run } from "./process.mjs";
import { countLine, printTotals, sumCounts } from "./test-counts.mjs";

const rounds = Number(process.argv.slice(2).find((argument) => argument !== "--") ?? 1);
const native = join(ROOT, "backends/bt/build/native");
const counts = [];

async function counted(name, command, options = {}) {
  console.log(`\n== ${name}`);
  const { code, output } = await run(command, { collect: true, ...options });
  const count = countLine(output) ?? { passed: 0, failed: 0 };
  if (code !== 0 && count.failed === 0) count.failed = 1;
  counts.push(count);
}

for (let round = 0; round < rounds; round++) {
  const seed = String(Date.now() % 1_000_000);
  const guests = join(native, "engine_guest_test");
  const programs = join(ROOT, "test/guests");
  for (const mode of [
    ["--stress-tlb", "2", "--verify"],
    ["--stress-code", "3", "--verify"],
    ["--stress-tlb", "5", "--stress-code", "5", "--stress-irq"],
    ["--one", "--stress-tlb", "3"],
    ["--no-opt", "--stress-code", "5", "--stress-irq"],
    ["--cache", "1024", "--stress-irq"],
  ]) {
    await counted(`guest programs ${mode.join(" ")} --seed ${seed}`, [guests, programs, ...mode, "--seed", seed]);
  }
  const fuzz = ["--seed", seed, "--blocks", "1000000", "--seconds", "120"];
  await counted(`verifier, seed ${seed}`, [join(native, "engine_verify_test"), ...fuzz]);
  await counted("a stock kernel", [
    "env",
    "RINGZERO_STRESS=1",
    bin("mocha"),
    "--config",
    ".mocharc.json",
    "--grep",
    "kernel under stress",
  ]);
}
printTotals(sumCounts(counts));

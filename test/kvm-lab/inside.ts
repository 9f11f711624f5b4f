// Runs in the lab's guest, by Node: the named parts one after another, a result line for each thing that was shown. A part that throws
// fails, and the next goes on. `done` is printed last, so that a lab that ended early is told from one that passed.

import { PARTS } from "./parts.js";
import { resultLine } from "./results.js";

for (const name of process.argv.slice(2)) {
  const began = Date.now();
  try {
    await PARTS[name]!({
      passed: (what, detail = "") => console.log(resultLine({ kind: "passed", name: `${name}: ${what}`, detail })),
      failed: (what, detail) => console.log(resultLine({ kind: "failed", name: `${name}: ${what}`, detail })),
      skipped: (what, detail) => console.log(resultLine({ kind: "skipped", name: `${name}: ${what}`, detail })),
    });
  } catch (error) {
    console.log(
      resultLine({ kind: "failed", name, detail: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  }
  console.log(`part ${name} took ${((Date.now() - began) / 1000).toFixed(1)} s`);
}
console.log(resultLine({ kind: "done" }));
process.exit(0);

// Compares an engine with the bare host and with QEMU, and writes a page about it: what a benchmark harness would copy. bench/README.md
// shows it. Usage: node compare-backends.js [BACKEND]

import { compare } from "@ringzero/bench";

const [backend = "bt"] = process.argv.slice(2);
const report = await compare({
  backends: [backend], // a name, or a package that is installed beside this file
  from: import.meta.dirname,
  workloads: ["user-compute", "memcpy*", "boot-to-userspace"], // groups, patterns, rows; or suites: ["compute"]
  rounds: 3,
  onProgress: (message) => console.error(message),
});
for (const { name, unit, values, samples } of report.rows) console.log(name, values, unit, samples);
for (const { goal, reached, met } of report.goals()) console.log(goal.name, goal.figure, reached, met);
await report.writeHtml("report.html"); // charts, verdicts, every figure; needs no other file
await report.writeJson("report.json"); // Report.read takes it back; report.since(old) says what moved

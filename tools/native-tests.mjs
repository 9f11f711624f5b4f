// Runs the C++ unit tests of one build folder: node native-tests.mjs BUILD. Each is a program named *_test or *_tests, whose last
// line is "N passed, N failed"; one that ends without that line, or not with 0 or 1, counts as one failure more.

import { accessSync, constants } from "node:fs";
import { basename, join, relative } from "node:path";
import { filesBelow } from "./freshness.mjs";
import { ROOT, run } from "./process.mjs";
import { countLine, printTotals, sumCounts } from "./test-counts.mjs";

const folder = join(process.cwd(), process.argv[2] ?? "build");
const executable = (path) => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};
const programs = filesBelow(folder, (path) => /_tests?$/.test(basename(path)) && executable(path));
const counts = [];
if (programs.length === 0) {
  console.log(`no test programs in ${relative(ROOT, folder)}: the native parts were not built`);
  counts.push({ passed: 0, failed: 1 });
}
for (const program of programs) {
  console.log(`\n${basename(program)}`);
  const { code, output } = await run([program], { collect: true });
  const count = countLine(output);
  if (count && (code === 0 || (code === 1 && count.failed > 0))) counts.push(count);
  else {
    console.log(`${basename(program)} ended with code ${code}${count ? "" : ' and without a line "N passed, N failed"'}`);
    counts.push({ passed: count?.passed ?? 0, failed: (count?.failed ?? 0) + 1 });
  }
}
printTotals(sumCounts(counts));

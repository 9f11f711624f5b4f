// The line "N passed, N failed" in which every test program of this workspace ends, read and written.

/** The last such line of an output, or null. */
export function countLine(output) {
  const all = [...output.matchAll(/^(\d+) passed, (\d+) failed\s*$/gm)];
  const last = all.at(-1);
  return last ? { passed: Number(last[1]), failed: Number(last[2]) } : null;
}

export function sumCounts(counts) {
  return counts.reduce((sum, one) => ({ passed: sum.passed + one.passed, failed: sum.failed + one.failed }), {
    passed: 0,
    failed: 0,
  });
}

/** Prints the line and sets the exit code. */
export function printTotals({ passed, failed }) {
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

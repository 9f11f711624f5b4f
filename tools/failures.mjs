// What failed, picked out of a test program's output, to be said once more at the end: of a long run often only the end is kept.

const MOST_LINES = 150;

/**
 * The lines that say what failed: those that begin with FAIL or FAILED, with what is indented below them, programs that ended badly, and
 * Mocha's numbered list below "N failing". With none of these the last lines, which then are all there is to go by.
 * @param {string} output
 */
export function failuresIn(output) {
  const lines = output.replaceAll(/\u001b\[[0-9;]*m/g, "").split("\n");
  const found = [];
  let within = null; // the rule by which the lines that follow belong to the failure
  for (const line of lines) {
    if (/^\s+\d+ failing$/.test(line)) within = (next) => !/^\d+ passed, \d+ failed/.test(next);
    else if (/^FAIL(ED)?\b|^\S+ ended with (exit )?code /.test(line)) within = (next) => /^\s+\S/.test(next);
    else if (within !== null && !within(line)) within = null;
    if (within !== null) found.push(line);
  }
  const all = found.length > 0 ? found : lines.slice(-40);
  return all.length <= MOST_LINES ? all : [...all.slice(0, MOST_LINES), `… and ${all.length - MOST_LINES} lines more`];
}

// The command `pnpm bench`: runs the comparison, prints the table, and writes what was asked for. Progress goes to stderr, the table to
// stdout. Exit code 0: everything that was asked for ran; 1: a contender did not; 2: the command line is wrong; 130: interrupted.

import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { WORKLOADS } from "./catalogue.js";
import { type CommandLine, HELP, parseCommandLine } from "./command-line.js";
import { compare } from "./compare.js";
import { fetchNewestQemu } from "./contenders/newest-qemu.js";
import { unexplainedRows, withGenerated } from "./performance-docs.js";
import { changesTable } from "./render/text.js";
import { Report } from "./report.js";

const DOCS = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));
const code = await main();
if (code === 130) process.exit(code); // whatever this process still runs ends with it
process.exitCode = code;

async function main(): Promise<number> {
  let asked: CommandLine;
  try {
    asked = parseCommandLine(process.argv.slice(2));
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
  if (asked.help) process.stdout.write(HELP);
  if (asked.list) for (const { name, suite, what } of WORKLOADS) console.log(`${name.padEnd(22)} ${suite.padEnd(8)} ${what}`);
  if (asked.help || asked.list) return 0;

  const onProgress = (message: string) => console.error(message);
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort(new Error(signal)));
  try {
    if (asked.fetchQemu) {
      console.log(await fetchNewestQemu({ signal: stop.signal, onProgress }));
      return 0;
    }
    const before = asked.against ? await Report.read(asked.against) : undefined;
    const report = asked.from
      ? await Report.read(asked.from)
      : await compare({ ...asked.compare, signal: stop.signal, onProgress });
    console.log(report.toText());
    if (before) console.log(`\nsince ${before.when}:\n${changesTable(report.since(before))}`);
    if (asked.json) await report.writeJson(asked.json);
    if (asked.html) await report.writeHtml(asked.html, before);
    if (asked.docs) await rewriteDocs(report.toMarkdown());
    return Object.keys(report.absent).some((name) => !name.startsWith("qemu")) ? 1 : 0;
  } catch (error) {
    console.error(stop.signal.aborted ? `stopped by ${(stop.signal.reason as Error).message}` : String((error as Error).message));
    return stop.signal.aborted ? 130 : error instanceof RangeError ? 2 : 1;
  }
}

async function rewriteDocs(generated: string): Promise<void> {
  const text = withGenerated(await readFile(DOCS, "utf8"), generated);
  await writeFile(DOCS, text);
  const missing = unexplainedRows(text);
  if (missing.length > 0) console.error(`docs/performance.md does not say yet why these fall short: ${missing.join(", ")}`);
}

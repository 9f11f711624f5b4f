// The options of `pnpm bench`, and the help that says them.

import { parseArgs } from "node:util";
import { GROUPS, SUITE_NAMES } from "./catalogue.js";
import type { CompareOptions } from "./compare.js";

export const HELP = `pnpm bench [-- options]: time guest programs on our engines, on this host and in QEMU TCG

  --filter NAMES   only these rows, suites or groups, separated by commas; memcpy* is a pattern; may be repeated
  --list           print every row with its suite and what it times
  --backend NAME   a backend by name, or a third party's package, looked for from here; may be repeated [default: bt]
  --checkout DIR   another built working copy, whose engine takes part as bt@DIR; may be repeated
  --qemu PROGRAM   a QEMU to compare with; may be repeated, the better one of each row counts
                   [default: those in RINGZERO_QEMU, else qemu-system-x86_64 and the fetched ones]
  --fetch-qemu     fetch the newest QEMU that Debian has, into a cache, and do nothing else
  --cpus N         virtual processors of the guests, where a row does not say [default: 1]
  --memory MIB     RAM of the guests [default: 512]
  --rounds N       interleaved rounds [default: 3]
  --ms N           milliseconds per timing [default: 100]
  --quick          one round of 20 ms timings: a smoke test, not a claim
  --no-qemu        leave QEMU out
  --no-native      leave the host out
  --no-operations  leave the SDK's operations out, which otherwise run when no rows are selected
  --json FILE      save the report, for --against and for programs
  --html FILE      write the report as a page with charts, which needs no other file
  --from FILE      measure nothing; show, convert and judge a saved report
  --against FILE   say what moved since a saved report, there and on the page
  --docs           rewrite the generated part of docs/performance.md
  --help           this

Suites: ${SUITE_NAMES.join(", ")}.
Groups: ${Object.keys(GROUPS).join(", ")}.
`;

export interface CommandLine {
  readonly help: boolean;
  readonly list: boolean;
  readonly fetchQemu: boolean;
  readonly json: string | undefined;
  readonly html: string | undefined;
  readonly from: string | undefined;
  readonly against: string | undefined;
  readonly docs: boolean;
  readonly compare: CompareOptions;
}

/** @throws TypeError for an option that does not exist, a number that is none, or options that contradict each other */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const { values } = parseArgs({
    args: [...args].filter((word, i) => !(word === "--" && i === 0)), // pnpm hands its own separator on
    allowNegative: true,
    options: {
      filter: { type: "string", multiple: true },
      list: { type: "boolean", default: false },
      backend: { type: "string", multiple: true },
      checkout: { type: "string", multiple: true },
      qemu: { type: "string", multiple: true },
      "no-qemu": { type: "boolean", default: false },
      "fetch-qemu": { type: "boolean", default: false },
      cpus: { type: "string" },
      memory: { type: "string" },
      rounds: { type: "string" },
      ms: { type: "string" },
      quick: { type: "boolean", default: false },
      native: { type: "boolean", default: true },
      operations: { type: "boolean" },
      json: { type: "string" },
      html: { type: "string" },
      from: { type: "string" },
      against: { type: "string" },
      docs: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const { quick } = values;
  const qemu: (string | boolean)[] = values.qemu ?? []; // some versions of Node take --no-qemu as a false among them
  if (values.docs && (quick || values.filter)) throw new TypeError("--docs wants a whole run: leave --filter and --quick out");
  const filter = values.filter?.flatMap((names) => names.split(",")).filter((name) => name !== "");
  return {
    ...{
      help: values.help,
      list: values.list,
      fetchQemu: values["fetch-qemu"],
      json: values.json,
      html: values.html,
      from: values.from,
      against: values.against,
      docs: values.docs,
    },
    compare: {
      ...(values.backend ? { backends: values.backend } : {}),
      ...(values.checkout ? { checkouts: values.checkout } : {}),
      ...(filter ? { workloads: filter } : {}),
      ...(values.cpus ? { cpus: count("--cpus", values.cpus) } : {}),
      ...(values.memory ? { memoryMiB: count("--memory", values.memory) } : {}),
      ...(values.operations === undefined ? {} : { operations: values.operations }),
      quick,
      rounds: values.rounds ? count("--rounds", values.rounds) : quick ? 1 : 3,
      roundMs: values.ms ? count("--ms", values.ms) : quick ? 20 : 100,
      qemu: values["no-qemu"] || qemu.includes(false) ? false : qemu.length === 0 ? true : (qemu as string[]),
      native: values.native,
    },
  };
}

function count(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new TypeError(`${option} takes a whole number above zero, not ${text}`);
  return value;
}

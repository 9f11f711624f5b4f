// The options of `ringzero step`: those of `ringzero run` that say what the machine is, and its own. Checked here, all problems at once.

import { LOCKSTEP_AGAINST, LOCKSTEP_LONGEST_BLOCK, type LockstepAgainst } from "@ringzero/backend-bt";
import type { Argv, Options } from "yargs";
import type { RequestProblem } from "./machine-request.js";
import { RUN_OPTIONS, type RawRunOptions } from "./run-options.js";

/** As yargs hands them over; strings still unchecked. */
export interface RawStepOptions extends RawRunOptions {
  readonly against?: unknown;
  readonly every?: unknown;
  readonly instructions?: unknown;
  readonly output?: unknown;
  readonly input?: unknown;
}

export interface StepRequest {
  readonly against: LockstepAgainst;
  readonly every: number;
  readonly instructions: number;
  readonly output: boolean;
  readonly input: string | undefined;
}

const MACHINE_OPTIONS = ["spec", "memory", "kernel", "kernel-kind", "initrd", "append", "firmware"] as const;
const STEP = "The comparison:";
const DEFAULT_INSTRUCTIONS = 10_000_000;
const AGAINST = LOCKSTEP_AGAINST.join(", ").replace(/, (?!.*, )/, " or ");

/** In the order of --help. */
export const STEP_OPTIONS = {
  against: {
    type: "string",
    group: STEP,
    requiresArg: true,
    describe: `WHAT to compare the translator with: ${AGAINST} [default: no-opt]`,
  },
  every: {
    type: "string",
    group: STEP,
    requiresArg: true,
    describe: `N instructions at most between two comparisons, 1 to ${LOCKSTEP_LONGEST_BLOCK} [default: whole blocks]`,
  },
  instructions: {
    type: "string",
    group: STEP,
    requiresArg: true,
    describe: `N instructions to go [default: ${DEFAULT_INSTRUCTIONS}]`,
  },
  input: { type: "string", group: STEP, requiresArg: true, describe: "TEXT that the guest reads from its first serial port" },
  output: { type: "boolean", group: STEP, describe: "Show what the guest writes to its first serial port, on stdout" },
} as const satisfies Partial<Record<keyof RawStepOptions, Options>>;

export const STEP_EXAMPLES: readonly (readonly [command: string, about: string])[] = [
  ["ringzero step --kernel vmlinuz --instructions 5000000", "the first five million instructions of a kernel"],
  ["ringzero step --firmware bios.bin --against one-instruction --every 1", "compare after every instruction"],
  ["ringzero step --firmware bios.bin --against kvm --instructions 200000", "and with what this host's KVM does"],
];

export function addStepOptions<T>(yargs: Argv<T>): Argv<T> {
  for (const name of MACHINE_OPTIONS) yargs.option(name, RUN_OPTIONS[name] as Options);
  for (const [name, option] of Object.entries(STEP_OPTIONS)) yargs.option(name, option as Options);
  yargs.option("json", { type: "boolean", describe: "Report problems as one line of JSON on stderr" });
  for (const [command, about] of STEP_EXAMPLES) yargs.example(command, about);
  return yargs;
}

/** @returns what is asked for; complete only when nothing is added to `problems` */
export function readStepRequest(raw: RawStepOptions, problems: RequestProblem[]): StepRequest {
  const blame = (where: string, code: string, message: string): void => void problems.push({ where, code, message });
  const number = (name: "every" | "instructions", otherwise: number, most: number): number => {
    const value = raw[name];
    if (value === undefined) return otherwise;
    const found = /^\d+$/.test(String(value)) ? Number(value) : 0;
    if (found >= 1 && found <= most) return found;
    blame(`--${name}`, "out-of-range", `${JSON.stringify(value)} is not a whole number from 1 to ${most}`);
    return otherwise;
  };
  const what = against(raw.against, blame);
  if (what === "kvm" && raw.every !== undefined)
    blame("--every", "bad-value", "KVM is compared after every instruction; leave --every away with --against kvm");
  return {
    against: what,
    every: number("every", LOCKSTEP_LONGEST_BLOCK, LOCKSTEP_LONGEST_BLOCK),
    instructions: number("instructions", DEFAULT_INSTRUCTIONS, Number.MAX_SAFE_INTEGER),
    output: raw.output === true,
    input: raw.input === undefined ? undefined : String(raw.input),
  };
}

function against(value: unknown, blame: (where: string, code: string, message: string) => void): LockstepAgainst {
  const known = LOCKSTEP_AGAINST.find((one) => one === (value ?? "no-opt"));
  if (known !== undefined) return known;
  const message = `${JSON.stringify(value)} is not ${AGAINST}; a backend of its own cannot be stepped, for the contract of backends has no single step`;
  blame("--against", "bad-value", message);
  return "no-opt";
}

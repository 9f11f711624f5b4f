// The options of `ringzero run`: one table for yargs, --help and docs/cli.md, and the raw values that come out of it.
// What must stay true: yargs only splits the command line; what a value means, and whether it is right, is machine-request.ts's.

import type { Argv, Options } from "yargs";

/** As yargs hands them over; strings still unchecked. */
export interface RawRunOptions {
  readonly backend?: unknown;
  readonly cpus?: unknown;
  readonly memory?: unknown;
  readonly kernel?: unknown;
  readonly "kernel-kind"?: unknown;
  readonly initrd?: readonly unknown[] | undefined;
  readonly append?: unknown;
  readonly firmware?: unknown;
  readonly device?: readonly unknown[] | undefined;
  readonly disk?: readonly unknown[] | undefined;
  readonly net?: readonly unknown[] | undefined;
  readonly console?: unknown;
  readonly timeout?: unknown;
  readonly events?: unknown;
  readonly spec?: unknown;
  readonly name?: unknown;
  readonly "dry-run"?: unknown;
  readonly json?: unknown;
  readonly stats?: unknown;
  readonly trace?: unknown;
  readonly "trace-file"?: unknown;
  readonly "list-code"?: readonly unknown[] | undefined;
}

const MACHINE = "The machine:";
const HOST = "How it is run:";

/** In the order of --help. */
export const RUN_OPTIONS = {
  spec: {
    type: "string",
    group: MACHINE,
    requiresArg: true,
    describe: "FILE with the machine as JSON; the options below change or extend what it says",
  },
  name: {
    type: "string",
    group: MACHINE,
    requiresArg: true,
    describe: 'NAME for logs and process titles [default: "machine"]',
  },
  cpus: { type: "string", group: MACHINE, requiresArg: true, describe: "N virtual processors [default: 1]" },
  memory: {
    type: "string",
    group: MACHINE,
    requiresArg: true,
    describe: "SIZE of the RAM, such as 512MiB or 2GiB [default: 512MiB]",
  },
  kernel: {
    type: "string",
    group: MACHINE,
    requiresArg: true,
    describe: "FILE to boot: a Linux bzImage, an ELF kernel with a PVH note, or a Multiboot 1 kernel",
  },
  "kernel-kind": {
    type: "string",
    group: MACHINE,
    requiresArg: true,
    describe: "KIND of kernel, linux, elf or multiboot, instead of looking into the file",
  },
  initrd: {
    type: "string",
    array: true,
    group: MACHINE,
    requiresArg: true,
    describe: "FILE…: initramfs archives (concatenated), or modules of an ELF or Multiboot kernel",
  },
  append: { type: "string", group: MACHINE, requiresArg: true, describe: "TEXT for the kernel command line" },
  firmware: {
    type: "string",
    group: MACHINE,
    requiresArg: true,
    describe: "FILE with a firmware image to start at the reset vector, instead of a kernel",
  },
  device: {
    type: "string",
    array: true,
    group: MACHINE,
    requiresArg: true,
    describe: "SPEC of a further device: NAME or NAME:key=value,…",
  },
  disk: {
    type: "string",
    array: true,
    group: MACHINE,
    requiresArg: true,
    describe: "SPEC of a disk (this version comes without disk plugins)",
  },
  net: {
    type: "string",
    array: true,
    group: MACHINE,
    requiresArg: true,
    describe: "SPEC of a NIC (this version comes without network plugins)",
  },
  backend: {
    type: "string",
    group: HOST,
    requiresArg: true,
    describe: "NAME of the engine: auto, bt or kvm [default: auto]",
  },
  console: {
    type: "string",
    group: HOST,
    requiresArg: true,
    describe: "TARGET of the first serial port: stdio, file:PATH or none [default: stdio]",
  },
  timeout: {
    type: "string",
    group: HOST,
    requiresArg: true,
    describe: "SECONDS after which the machine is stopped; the exit status is 124 then",
  },
  events: {
    type: "string",
    group: HOST,
    requiresArg: true,
    describe: "FILE for what happens to the machine, as JSON lines",
  },
  "dry-run": { type: "boolean", group: HOST, describe: "Check everything, print the specification, start nothing" },
  json: {
    type: "boolean",
    group: HOST,
    describe: "Report problems and the end of the machine as one line of JSON on stderr",
  },
  stats: { type: "boolean", group: HOST, describe: "Print times, counts and the engine's counters at the end, on stderr" },
  trace: {
    type: "string",
    group: HOST,
    requiresArg: true,
    describe: "FLAGS of the engine's trace, such as exit,mmio (docs/engine-inspection.md)",
  },
  "trace-file": { type: "string", group: HOST, requiresArg: true, describe: "FILE for the trace, instead of stderr" },
  "list-code": {
    type: "string",
    array: true,
    group: HOST,
    requiresArg: true,
    describe: "ADDRESS of a guest instruction whose translated code is printed at the end, on stderr",
  },
} as const satisfies Record<keyof RawRunOptions, Options>;

/** Example command lines, for --help and the docs. */
export const RUN_EXAMPLES: readonly (readonly [command: string, about: string])[] = [
  ["ringzero run --kernel vmlinuz --initrd initrd.img --append console=ttyS0", "boot Linux; its serial console is your terminal"],
  [
    "ringzero run --kernel vmlinuz --device debug-exit --timeout 60 --console file:boot.log",
    "unattended: output to a file, at most a minute",
  ],
  ["ringzero run --firmware bios.bin --device log-port:path=bios.log", "start firmware, and keep what it writes to port E9h"],
  ["ringzero run --spec machine.json --memory 2GiB", "a machine from a file, with more memory"],
  ["ringzero run --kernel vmlinuz --dry-run > machine.json", "check everything, and write the specification"],
];

/** @param shown  false: not in a help text, which yargs makes for every command that it runs, and for these options takes longer than all else */
export function addRunOptions<T>(yargs: Argv<T>, shown: boolean): Argv<T> {
  for (const [name, option] of Object.entries(RUN_OPTIONS)) yargs.option(name, { ...(option as Options), hidden: !shown });
  if (!shown) return yargs;
  for (const [command, about] of RUN_EXAMPLES) yargs.example(command, about);
  return yargs;
}

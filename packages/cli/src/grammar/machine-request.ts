// From the options of `ringzero run` to a machine specification and a few host-side settings, with every problem found on the way.
// What must stay true: it starts nothing and throws nothing for a user's mistake; one bad option never hides another.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { MachineSpec } from "@ringzero/api";
import { KERNEL_KINDS, type KernelKind, kernelKindOfFile } from "./kernel-kind.js";
import { type ParsedPluginSpec, PluginSpecError, parsePluginSpec } from "./plugin-spec.js";
import type { RawRunOptions } from "./run-options.js";

/** Something wrong with the command line or with what it leads to. */
export interface RequestProblem {
  /** What the user wrote it in: `--memory`, `machine.json: cpus`. */
  readonly where: string;
  /** Stable, as in docs/errors.md. */
  readonly code: string;
  readonly message: string;
}

/** Where the first serial port goes. */
export type ConsoleTarget =
  | { readonly kind: "stdio" }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "none" };

export interface RunRequest {
  /** Unchecked beyond its shape: `Ringzero.validate` decides. */
  readonly spec: MachineSpec;
  /** A backend's name, or "auto". */
  readonly backend: string;
  readonly console: ConsoleTarget;
  readonly timeoutMs: number | null;
  readonly eventsPath: string | null;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly stats: boolean;
  /** RIPs whose translated code is to be shown at the end. */
  readonly listings: readonly bigint[];
  /** Says where the user wrote a field of the specification, for problems that `validate` finds. */
  whereIs(specPath: string): string;
}

export const DEFAULT_MEMORY = "512MiB";
const LONGEST_TIMEOUT_S = 2_147_483; // setTimeout's 2^31 - 1 ms

export interface ReadRequest {
  /** Complete only when `problems` is empty; else good for finding further problems. */
  readonly request: RunRequest;
  readonly problems: readonly RequestProblem[];
  /** Fields of the specification that a problem already accounts for: what `validate` says about them is a consequence. */
  readonly blamedFields: ReadonlySet<string>;
}

export async function readRunRequest(raw: RawRunOptions): Promise<ReadRequest> {
  const problems: RequestProblem[] = [];
  const blamedFields = new Set<string>();
  const blame = (where: string, code: string, message: string): void => {
    problems.push({ where, code, message });
    for (const field of FIELDS_OF_OPTION[where] ?? []) blamedFields.add(field);
  };
  const text = (name: keyof RawRunOptions): string | undefined => {
    const value = raw[name];
    if (value === undefined) return undefined;
    if (Array.isArray(value)) {
      blame(`--${name}`, "bad-value", "is given more than once; give it once");
      return String(value.at(-1));
    }
    return String(value);
  };
  const list = (name: "initrd" | "device" | "disk" | "net" | "list-code"): string[] => (raw[name] ?? []).map(String);
  const plugins = (name: "device" | "disk" | "net"): ParsedPluginSpec[] =>
    list(name).flatMap((one) => {
      try {
        return [parsePluginSpec(one)];
      } catch (error) {
        if (!(error instanceof PluginSpecError)) throw error;
        blame(`--${name}`, "bad-value", error.message);
        return [];
      }
    });

  const specPath = text("spec");
  const base = specPath === undefined ? {} : await readSpecFile(specPath, blame);

  const fromOptions: Record<string, unknown> = {};
  const name = text("name");
  if (name !== undefined) fromOptions["name"] = name;
  const cpus = text("cpus");
  if (cpus !== undefined)
    fromOptions["cpus"] = wholeNumber(cpus, () =>
      blame("--cpus", "wrong-type", `${JSON.stringify(cpus)} is not a whole number; give a count such as 2`),
    );
  const memory = text("memory");
  if (memory !== undefined) fromOptions["memory"] = /^\d+$/.test(memory) ? Number(memory) : memory;
  const boot = await bootFromOptions(text, list("initrd"), base["boot"], specPath !== undefined, blame);
  if (boot !== undefined) fromOptions["boot"] = boot;
  const trace = text("trace");
  const traceFile = text("trace-file");
  if (traceFile !== undefined && trace === undefined)
    blame("--trace-file", "bad-value", "there is nothing to write: give --trace FLAGS too");
  if (trace !== undefined) {
    const tuning = typeof base["engine"] === "object" ? (base["engine"] as Record<string, unknown>) : {};
    fromOptions["engine"] = { ...tuning, trace, ...(traceFile === undefined ? {} : { traceFile: resolve(traceFile) }) };
  }
  const parts: readonly (readonly [field: string, added: readonly unknown[]])[] = [
    ["devices", plugins("device")],
    ["disks", plugins("disk").map((disk) => ({ disk }))],
    ["nics", plugins("net").map((network) => ({ network }))],
  ];
  for (const [field, added] of parts) {
    const before = base[field];
    if (added.length > 0) fromOptions[field] = [...(Array.isArray(before) ? before : []), ...added];
  }
  const spec = { memory: DEFAULT_MEMORY, ...base, ...fromOptions } as unknown as MachineSpec;

  const settings = {
    backend: text("backend") ?? "auto",
    console: consoleTarget(text("console") ?? "stdio", blame),
    timeoutMs: timeoutMs(text("timeout"), blame),
    eventsPath: text("events") ?? null,
    dryRun: raw["dry-run"] === true,
    json: raw.json === true,
    stats: raw.stats === true,
    listings: list("list-code").map((value) => address(value, blame)),
  };
  const whereIs = whereFinder(fromOptions, base, specPath);
  return { request: { spec, ...settings, whereIs }, problems, blamedFields };
}

const FIELDS_OF_OPTION: Readonly<Record<string, readonly string[]>> = {
  "--name": ["name"],
  "--cpus": ["cpus"],
  "--memory": ["memory"],
  "--kernel": ["boot"],
  "--kernel-kind": ["boot"],
  "--firmware": ["boot"],
  "--initrd": ["boot"],
  "--append": ["boot"],
  "--spec": ["boot", "memory"],
};

function address(value: string, blame: Blame): bigint {
  if (/^(0x[0-9a-f]{1,16}|\d{1,19})$/i.test(value)) return BigInt(value);
  blame("--list-code", "bad-value", `${JSON.stringify(value)} is not an address; write it as 0xffffffff81000000`);
  return 0n;
}

type Blame = (where: string, code: string, message: string) => void;

function wholeNumber(value: string, complain: () => void): number {
  if (/^-?\d+$/.test(value)) return Number(value);
  complain();
  return 1;
}

async function readSpecFile(path: string, blame: Blame): Promise<Record<string, unknown>> {
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (error) {
    blame(
      "--spec",
      "SPEC_UNREADABLE",
      `${path}: cannot be read (${(error as NodeJS.ErrnoException).code}); check the path, it is relative to the working directory`,
    );
    return {};
  }
  try {
    const value: unknown = JSON.parse(content);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    blame("--spec", "SPEC_UNREADABLE", `${path}: is JSON, but no object; write { "memory": "512MiB", "boot": { … } }`);
  } catch (error) {
    blame("--spec", "SPEC_UNREADABLE", `${path}: is not JSON: ${(error as Error).message}; mend it at that place`);
  }
  return {};
}

async function bootFromOptions(
  text: (name: keyof RawRunOptions) => string | undefined,
  initrds: readonly string[],
  base: unknown,
  hasSpec: boolean,
  blame: Blame,
): Promise<unknown> {
  const kernel = text("kernel");
  const firmware = text("firmware");
  const append = text("append");
  const kindText = text("kernel-kind");
  const asked = KERNEL_KINDS.find((kind) => kind === kindText);
  if (kindText !== undefined && asked === undefined)
    blame("--kernel-kind", "bad-value", `${JSON.stringify(kindText)} is not one of ${KERNEL_KINDS.join(", ")}`);

  if (firmware !== undefined) {
    for (const [option, given] of [
      ["--kernel", kernel !== undefined],
      ["--initrd", initrds.length > 0],
      ["--append", append !== undefined],
    ] as const) {
      if (given)
        blame(
          option,
          "bad-value",
          "cannot be combined with --firmware, which starts from a disk of its own choosing; remove one of them",
        );
    }
    return { kind: "firmware", image: firmware };
  }
  if (kernel !== undefined) {
    const kind = asked ?? (kindText === undefined ? await sniff(kernel, blame) : null);
    return kind === null ? undefined : kernelBoot(kind, kernel, initrds, append);
  }
  const before = base as { readonly kind?: unknown; readonly kernel?: unknown } | undefined;
  if (before !== undefined && (initrds.length > 0 || append !== undefined)) {
    const kind = KERNEL_KINDS.find((one) => one === before.kind);
    if (kind === undefined) {
      blame("--spec", "bad-value", "its boot takes no --initrd and no --append; remove them, or give --kernel");
      return undefined;
    }
    const changed = kernelBoot(kind, String(before.kernel), initrds, append);
    return { ...before, ...changed, kernel: before.kernel };
  }
  if (!hasSpec) blame("--kernel", "missing", "nothing to boot: give --kernel F, --firmware F or --spec F.json");
  return undefined;
}

function kernelBoot(
  kind: KernelKind,
  kernel: string,
  initrds: readonly string[],
  append: string | undefined,
): Record<string, unknown> {
  return {
    kind,
    kernel,
    ...(initrds.length === 0 ? {} : { [kind === "linux" ? "initrd" : "modules"]: initrds }),
    ...(append === undefined ? {} : { append }),
  };
}

async function sniff(path: string, blame: Blame): Promise<KernelKind | null> {
  try {
    const kind = await kernelKindOfFile(path);
    if (kind === null) {
      blame(
        "--kernel",
        "BOOT_FILE_INVALID",
        `${path}: is no kernel that can be booted: neither a Linux bzImage, nor ELF, nor Multiboot 1; check that it is the kernel and intact, or say what it is with --kernel-kind`,
      );
    }
    return kind;
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? String(error);
    if (errno === "ENOENT" || errno === "ENOTDIR")
      blame("--kernel", "BOOT_FILE_MISSING", `${path}: no such file; check the path, it is relative to the working directory`);
    else if (errno === "EISDIR") blame("--kernel", "BOOT_FILE_UNREADABLE", `${path}: is a directory; name a file`);
    else blame("--kernel", "BOOT_FILE_UNREADABLE", `${path}: cannot be read (${errno}); check its permissions`);
    return null;
  }
}

function consoleTarget(value: string, blame: Blame): ConsoleTarget {
  if (value === "stdio" || value === "none") return { kind: value };
  if (value.startsWith("file:") && value.length > 5) return { kind: "file", path: value.slice(5) };
  blame("--console", "bad-value", `${JSON.stringify(value)} is not stdio, file:PATH or none`);
  return { kind: "none" };
}

function timeoutMs(value: string | undefined, blame: Blame): number | null {
  if (value === undefined) return null;
  const seconds = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  if (seconds > 0 && seconds <= LONGEST_TIMEOUT_S) return Math.ceil(seconds * 1000);
  blame("--timeout", "out-of-range", `${JSON.stringify(value)} is not a number of seconds above 0, at most ${LONGEST_TIMEOUT_S}`);
  return null;
}

const OPTION_OF_FIELD: Readonly<Record<string, string>> = {
  name: "--name",
  cpus: "--cpus",
  memory: "--memory",
  devices: "--device",
  disks: "--disk",
  nics: "--net",
  engine: "--trace",
};
const OPTION_OF_BOOT: Readonly<Record<string, string>> = {
  kernel: "--kernel",
  initrd: "--initrd",
  modules: "--initrd",
  append: "--append",
  image: "--firmware",
};

/** Problems are told in the words that the user wrote: an option, or a field of the file. */
function whereFinder(
  fromOptions: Record<string, unknown>,
  base: Record<string, unknown>,
  specPath: string | undefined,
): (path: string) => string {
  return (path) => {
    const match = /^([A-Za-z]+)(?:\[(\d+)\])?(?:\.([A-Za-z]+))?/.exec(path);
    const field = match?.[1] ?? "";
    const inFile = specPath === undefined ? path : `${specPath}: ${path}`;
    if (specPath !== undefined && !(field in fromOptions)) return inFile;
    if (field === "boot") return OPTION_OF_BOOT[match?.[3] ?? "kernel"] ?? inFile;
    const option = OPTION_OF_FIELD[field];
    if (option === undefined) return inFile;
    if (match?.[2] === undefined) return option;
    const before = Array.isArray(base[field]) ? (base[field] as unknown[]).length : 0;
    const index = Number(match[2]);
    return index < before ? inFile : `${option} (number ${index - before + 1})`;
  };
}

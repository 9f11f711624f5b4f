// What every addon takes, made from a VmConfig that was checked (checkVmConfig of api), and the options of the exit path that every engine
// behind this package's link has.

import { isMainThread } from "node:worker_threads";
import { checkVmConfig, RingzeroError, type VmConfig, type VmLimits } from "@ringzero/api";
import type { NativeVmOptions } from "./native-vm.js";

/** What an engine option takes: a type, or a whole number of a range. */
export type EngineOption = "number" | "boolean" | "string" | { readonly least: number; readonly most: number };

/** What a backend says of itself for these checks. */
export interface ConfigRules extends VmLimits {
  /** Tuning that the engine takes, by name. */
  readonly engineOptions: Readonly<Record<string, EngineOption>>;
}

/** Tuning of the exit path, in microseconds. Measured in README.md. */
const EXIT_OPTIONS = {
  /** How long the device thread waits for the next exit; it must not block an embedder's main thread. */
  lingerUs: isMainThread ? 0 : 150,
  /** Of that, how long it spins. */
  spinUs: isMainThread ? 0 : 30,
  /** How long a vCPU spins for its answer. */
  engineSpinUs: isMainThread ? 0 : 20,
};

/**
 * @throws TypeError, RangeError for what no backend could take
 * @throws RingzeroError `VM_UNSUPPORTED` for more than the capabilities
 */
export function toNativeOptions(config: VmConfig, rules: ConfigRules): NativeVmOptions {
  checkVmConfig(config, rules);
  const { lines, exits } = splitOptions(config.options ?? {}, rules);
  return {
    name: config.name,
    cpuProfile: config.cpuProfile,
    options: lines,
    vcpus: config.vcpus,
    ramFd: config.memoryFd ?? 0,
    ranges: config.memory.map((range) => ({ base: range.at, sizeBytes: range.sizeBytes, readOnly: range.readOnly === true })),
    uarts: config.uarts.map(({ port, irq }) => ({ port, irq })),
    lingerNs: exits.lingerUs * 1000,
    spinNs: exits.spinUs * 1000,
    engineSpinNs: exits.engineSpinUs * 1000,
  };
}

function splitOptions(
  options: Readonly<Record<string, string | number | boolean>>,
  { backend, engineOptions }: ConfigRules,
): {
  lines: string;
  exits: Record<keyof typeof EXIT_OPTIONS, number>;
} {
  const exits: Record<string, number> = { ...EXIT_OPTIONS };
  let lines = "";
  for (const [name, value] of Object.entries(options)) {
    if (name in exits) {
      if (typeof value !== "number" || !(value >= 0 && value <= 1e6)) {
        throw new RangeError(`engine option ${name}=${value}: a number of microseconds from 0 to 1000000 is needed`);
      }
      exits[name] = value;
      continue;
    }
    const option = engineOptions[name];
    if (option === undefined) {
      const known = [...Object.keys(engineOptions), ...Object.keys(EXIT_OPTIONS)].join(", ");
      throw new RingzeroError("VM_UNSUPPORTED", `the ${backend} backend has no option ${name}; it knows ${known}`);
    }
    const type = typeof option === "string" ? option : "number";
    const good = typeof value === type && (type !== "number" || (Number.isSafeInteger(value) && (value as number) >= 0));
    if (!good || /[\n\0]/.test(String(value))) throw new TypeError(`engine option ${name}=${value}: a ${type} is needed`);
    if (typeof option !== "string" && ((value as number) < option.least || (value as number) > option.most))
      throw new RangeError(`engine option ${name}=${value}: a whole number from ${option.least} to ${option.most} is needed`);
    lines += `${name}=${value}\n`;
  }
  if (Buffer.byteLength(lines) >= 4096) throw new RangeError("the engine options are longer than 4095 bytes together");
  return { lines, exits: exits as Record<keyof typeof EXIT_OPTIONS, number> };
}

// Checks of a VmConfig that are the same for every engine behind this package's link, before anything is created, and the options that
// every addon takes.

import { isMainThread } from "node:worker_threads";
import { type BackendCapabilities, formatSize, RingzeroError, type VmConfig } from "@ringzero/api";
import type { NativeVmOptions } from "./native-vm.js";

/** What a backend says of itself for these checks. */
export interface ConfigRules {
  /** The backend's name, for messages. */
  readonly backend: string;
  readonly capabilities: BackendCapabilities;
  /** Tuning that the engine takes, by name, and the type of its value. */
  readonly engineOptions: Readonly<Record<string, "number" | "boolean" | "string">>;
}

const MAX_RANGES = 32;
const MAX_UARTS = 4;
const MAX_TOP = 2 ** 40;
const PAGE = 4096;

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
  const { backend, capabilities } = rules;
  checkVcpus(config.vcpus, rules);
  if (!capabilities.cpuProfiles.includes(config.cpuProfile)) {
    throw new RingzeroError(
      "VM_UNSUPPORTED",
      `CPU profile ${config.cpuProfile} is unknown to the ${backend} backend; use one of ${capabilities.cpuProfiles.join(", ")}`,
    );
  }
  checkMemory(config, rules);
  checkUarts(config, rules);
  const { lines, exits } = splitOptions(config.options ?? {}, rules);
  return {
    name: config.name,
    cpuProfile: config.cpuProfile,
    options: lines,
    vcpus: config.vcpus,
    ramFd: checkedFd(config.memoryFd),
    ranges: config.memory.map((range) => ({ base: range.at, sizeBytes: range.sizeBytes, readOnly: range.readOnly === true })),
    uarts: config.uarts.map(({ port, irq }) => ({ port, irq })),
    lingerNs: exits.lingerUs * 1000,
    spinNs: exits.spinUs * 1000,
    engineSpinNs: exits.engineSpinUs * 1000,
  };
}

/** 0: no memory was given. */
function checkedFd(fd: number | undefined): number {
  if (fd === undefined) return 0;
  if (!Number.isInteger(fd) || fd < 1 || fd > 0x7fffffff)
    throw new RangeError(`memoryFd ${fd} is not a descriptor of shared memory`);
  return fd;
}

function checkVcpus(vcpus: number, { backend, capabilities }: ConfigRules): void {
  const most = capabilities.maxVcpus;
  if (!Number.isInteger(vcpus) || vcpus < 1) throw new RangeError(`a machine needs at least 1 vCPU, not ${vcpus}`);
  if (vcpus > most)
    throw new RingzeroError("VM_UNSUPPORTED", `the ${backend} backend runs at most ${most} vCPU(s), not ${vcpus}`);
}

function checkMemory(config: VmConfig, { backend, capabilities }: ConfigRules): void {
  const ranges = config.memory;
  if (ranges.length === 0) throw new RangeError("a machine needs memory: the list of ranges is empty");
  if (ranges.length > MAX_RANGES) {
    throw new RingzeroError(
      "VM_UNSUPPORTED",
      `the ${backend} backend takes at most ${MAX_RANGES} memory ranges, not ${ranges.length}`,
    );
  }
  let end = 0;
  let total = 0;
  for (const { at, sizeBytes } of ranges) {
    if (
      !Number.isSafeInteger(at) ||
      !Number.isSafeInteger(sizeBytes) ||
      at < 0 ||
      sizeBytes <= 0 ||
      at % PAGE !== 0 ||
      sizeBytes % PAGE !== 0
    ) {
      throw new RangeError(`memory range of ${sizeBytes} bytes at ${at}: both must be multiples of ${PAGE}, the size not 0`);
    }
    if (at < end) {
      throw new RangeError(`the memory range at 0x${at.toString(16)} begins inside the one before it, or the list is not sorted`);
    }
    end = at + sizeBytes;
    total += sizeBytes;
  }
  if (total > capabilities.maxMemoryBytes || end > MAX_TOP) {
    throw new RingzeroError(
      "VM_UNSUPPORTED",
      `the ${backend} backend takes at most ${formatSize(capabilities.maxMemoryBytes)} of memory below 1 TiB, not ${total} bytes up to 0x${end.toString(16)}`,
    );
  }
}

function checkUarts(config: VmConfig, { backend }: ConfigRules): void {
  if (config.uarts.length > MAX_UARTS) {
    throw new RingzeroError(
      "VM_UNSUPPORTED",
      `the ${backend} backend has at most ${MAX_UARTS} UARTs, not ${config.uarts.length}`,
    );
  }
  for (const { port, irq } of config.uarts) {
    if (!Number.isInteger(port) || port < 0 || port > 0xfff8) throw new RangeError(`UART port ${port} is not in 0..FFF8h`);
    if (!Number.isInteger(irq) || irq < 0 || irq > 23) throw new RangeError(`UART interrupt line ${irq} is not in 0..23`);
  }
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
    const type = engineOptions[name];
    if (type === undefined) {
      const known = [...Object.keys(engineOptions), ...Object.keys(EXIT_OPTIONS)].join(", ");
      throw new RingzeroError("VM_UNSUPPORTED", `the ${backend} backend has no option ${name}; it knows ${known}`);
    }
    const good = typeof value === type && (type !== "number" || (Number.isSafeInteger(value) && (value as number) >= 0));
    if (!good || /[\n\0]/.test(String(value))) throw new TypeError(`engine option ${name}=${value}: a ${type} is needed`);
    lines += `${name}=${value}\n`;
  }
  if (Buffer.byteLength(lines) >= 4096) throw new RangeError("the engine options are longer than 4095 bytes together");
  return { lines, exits: exits as Record<keyof typeof EXIT_OPTIONS, number> };
}

// Checks of a VmConfig that are the same for every backend, before anything is created: what no backend could take is the caller's
// mistake, more than the capabilities is VM_UNSUPPORTED. A backend calls this first and then looks at its own options.

import type { BackendCapabilities, VmConfig } from "./backend.js";
import { RingzeroError } from "./errors.js";
import { formatSize } from "./size.js";

/** What a backend says of itself for these checks. */
export interface VmLimits {
  /** The backend's name, for messages. */
  readonly backend: string;
  readonly capabilities: BackendCapabilities;
  /** `BackendReport.refusedProfiles`. */
  readonly refusedProfiles?: Readonly<Record<string, string>>;
  /** Memory ranges at most. Default: 32. */
  readonly maxRanges?: number;
}

const DEFAULT_MAX_RANGES = 32;
const MAX_UARTS = 4;
const MAX_TOP = 2 ** 40;
const PAGE = 4096;

/**
 * All of a config but its engine options.
 * @throws TypeError, RangeError for what no backend could take
 * @throws RingzeroError `VM_UNSUPPORTED` for more than the capabilities
 */
export function checkVmConfig(config: VmConfig, limits: VmLimits): void {
  const { backend, capabilities } = limits;
  checkVcpus(config.vcpus, limits);
  if (!capabilities.cpuProfiles.includes(config.cpuProfile)) {
    const why = limits.refusedProfiles?.[config.cpuProfile];
    throw new RingzeroError(
      "VM_UNSUPPORTED",
      `CPU profile ${config.cpuProfile} is ${why === undefined ? `unknown to the ${backend} backend` : `not possible: ${why}`}; use one of ${capabilities.cpuProfiles.join(", ")}`,
    );
  }
  checkMemory(config, limits);
  checkMemoryFd(config.memoryFd, limits);
  checkUarts(config, limits);
}

function checkVcpus(vcpus: number, { backend, capabilities }: VmLimits): void {
  const most = capabilities.maxVcpus;
  if (!Number.isInteger(vcpus) || vcpus < 1) throw new RangeError(`a machine needs at least 1 vCPU, not ${vcpus}`);
  if (vcpus > most)
    throw new RingzeroError("VM_UNSUPPORTED", `the ${backend} backend runs at most ${most} vCPU(s), not ${vcpus}`);
}

function checkMemory(config: VmConfig, { backend, capabilities, maxRanges = DEFAULT_MAX_RANGES }: VmLimits): void {
  const ranges = config.memory;
  if (ranges.length === 0) throw new RangeError("a machine needs memory: the list of ranges is empty");
  if (ranges.length > maxRanges) {
    throw new RingzeroError(
      "VM_UNSUPPORTED",
      `the ${backend} backend takes at most ${maxRanges} memory ranges, not ${ranges.length}`,
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

function checkMemoryFd(fd: number | undefined, { backend, capabilities }: VmLimits): void {
  if (fd === undefined) return;
  if (!Number.isInteger(fd) || fd < 1 || fd > 0x7fffffff)
    throw new RangeError(`memoryFd ${fd} is not a descriptor of shared memory`);
  if (!capabilities.memorySharing)
    throw new RingzeroError(
      "VM_UNSUPPORTED",
      `the ${backend} backend cannot run on the memory of another VM; leave memoryFd out`,
    );
}

function checkUarts(config: VmConfig, { backend }: VmLimits): void {
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

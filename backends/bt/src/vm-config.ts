// What this engine can do, and what its addon takes besides what every addon takes.

import type { BackendCapabilities, VmConfig } from "@ringzero/api";
import { type EngineOption, type NativeVmOptions, toNativeOptions } from "@ringzero/native";

/** What this engine can do. */
export const CAPABILITIES: BackendCapabilities = {
  maxVcpus: 8,
  maxMemoryBytes: 64 * 2 ** 30,
  cpuProfiles: ["x86-64-v2", "x86-64-v3", "x86-64-v2-aibrs", "x86-64-v3-aibrs", "host", "x86-64-v1"],
  saveState: true,
  dirtyLog: true,
  debug: true,
  doorbells: true,
  msi: true,
  memorySharing: true,
};

const SCRIPTED_MAX_VCPUS = 64; // what the shared memory holds

/** Tuning that the engine program takes (native/host/options.cpp), by name. */
const ENGINE_OPTIONS: Readonly<Record<string, EngineOption>> = {
  codeCacheBytes: { least: 2 ** 20, most: 2 ** 31 },
  noOpt: "boolean",
  maxBlockInsts: { least: 1, most: 2 ** 32 - 1 },
  stressFlushTlb: { least: 0, most: 2 ** 32 - 1 },
  stressFlushCode: { least: 0, most: 2 ** 32 - 1 },
  stressInterrupts: "boolean",
  stressSeed: "number",
  verify: "boolean",
  perfMap: "boolean",
  trace: "string", // flags of native/engine/debug/trace_flags.inc, with commas between
  traceFile: "string", // where its lines go; standard error if absent
  fakeRun: "string", // a script instead of the guest; tests of the transport
  testCommands: "boolean", // accept the command that crashes the engine; tests
};

export interface BtOptions extends NativeVmOptions {
  readonly enginePath: string;
  /** Its arguments. */
  readonly args: readonly string[];
}

/**
 * @param enginePath  path of the engine program
 * @throws TypeError, RangeError for what no backend could take
 * @throws RingzeroError `VM_UNSUPPORTED` for more than the capabilities
 */
export function toBtOptions(config: VmConfig, enginePath: string): BtOptions {
  const scripted = typeof config.options?.["fakeRun"] === "string";
  const capabilities = scripted ? { ...CAPABILITIES, maxVcpus: SCRIPTED_MAX_VCPUS } : CAPABILITIES;
  return {
    ...toNativeOptions(config, { backend: "bt", capabilities, engineOptions: ENGINE_OPTIONS }),
    enginePath,
    args: ["--machine", config.name.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 60)],
  };
}

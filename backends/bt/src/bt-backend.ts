// The Backend of the contract for the binary translator.

import { type Backend, type BackendReport, type ExitHandler, type Vm, type VmConfig } from "@ringzero/api";
import { BtVm } from "./bt-vm.js";
import { enginePath, nativeAddon } from "./native-parts.js";
import { CAPABILITIES } from "./vm-config.js";

/** Milliseconds on most hosts; seconds where the host is itself emulated, and its one processor is busy with guests. */
const SELF_TEST_TIMEOUT_MS = 15_000;

/** Runs x86 machines by binary translation: no virtualization support, no privileges. Linux on x86-64 only. */
export class BtBackend implements Backend {
  readonly name = "bt";

  async probe(): Promise<BackendReport> {
    const { available, reason } = await examine();
    return { name: this.name, available, reason, capabilities: CAPABILITIES, calibratedInstructionsPerSecond: null };
  }

  createVm(config: VmConfig, handler: ExitHandler): Promise<Vm> {
    return BtVm.create(config, handler);
  }
}

async function examine(): Promise<{ available: boolean; reason: string }> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    return {
      available: false,
      reason: `the translator runs on Linux on x86-64, and this is ${process.platform} on ${process.arch}`,
    };
  }
  try {
    nativeAddon();
    const { failed, said } = await selfTest(enginePath());
    return failed
      ? { available: false, reason: `the engine's self-test does not pass on this host: ${said}` }
      : { available: true, reason: "the translator needs nothing from the host but memory that can be executed, and has it" };
  } catch (error) {
    return { available: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

async function selfTest(engine: string): Promise<{ failed: boolean; said: string }> {
  const { execFile } = await import("node:child_process"); // device workers load this module too, and have no use for it
  return await new Promise((resolve) => {
    execFile(engine, ["--self-test"], { timeout: SELF_TEST_TIMEOUT_MS }, (error, stdout, stderr) => {
      const silent = error?.killed ? `no answer within ${SELF_TEST_TIMEOUT_MS} ms` : (error?.message ?? "");
      resolve({ failed: error !== null, said: (stdout + stderr).trim() || silent });
    });
  });
}

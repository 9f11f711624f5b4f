// A backend, whole, and small enough to be read: an interpreter of a part of 16-bit real mode. docs/backends.md walks through it.

import {
  type Backend,
  type BackendCapabilities,
  type BackendReport,
  checkVmConfig,
  type ExitHandler,
  type VmConfig,
} from "@ringzero/api";
import { definePlugin, RingzeroError } from "@ringzero/core";
import { TinyVm } from "./tiny-vm.js";

// #region probe
const CAPABILITIES: BackendCapabilities = {
  maxVcpus: 1,
  maxMemoryBytes: 64 * 2 ** 20,
  cpuProfiles: ["real-mode"],
  saveState: false,
  dirtyLog: true,
  debug: false,
  doorbells: true,
  msi: false,
  memorySharing: false,
};

export class TinyBackend implements Backend {
  readonly name = "tiny";

  async probe(): Promise<BackendReport> {
    return {
      name: this.name,
      available: true,
      reason: "an interpreter of a part of 16-bit real mode works everywhere",
      capabilities: CAPABILITIES,
      calibratedInstructionsPerSecond: null,
      calibrationNote: "it lacks what the calibration guest needs",
    };
  }
  // #endregion probe

  // #region create
  async createVm(config: VmConfig, handler: ExitHandler): Promise<TinyVm> {
    checkVmConfig(config, { backend: this.name, capabilities: CAPABILITIES });
    const [option] = Object.keys(config.options ?? {});
    if (option !== undefined)
      throw new RingzeroError("VM_UNSUPPORTED", `the tiny backend has no engine option ${option}; it has none`);
    if (config.uarts.length > 0) throw new RingzeroError("VM_UNSUPPORTED", "the tiny backend has no UARTs; ask for none");
    return new TinyVm(config, handler);
  }
  // #endregion create
}

// #region plugin
export default definePlugin({
  name: "tiny",
  kind: "backend",
  api: { min: 1, max: 1 },
  summary: "An interpreter of a part of 16-bit real mode, to be read",
  module: import.meta.url,
  create: () => new TinyBackend(),
});
// #endregion plugin

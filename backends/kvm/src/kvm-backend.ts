// The Backend of the contract for Linux KVM.

import { type Backend, type BackendReport, type ExitHandler, type Vm, type VmConfig } from "@ringzero/api";
import { KvmVm } from "./kvm-vm.js";
import { type KvmProbe, nativeAddon } from "./native-parts.js";
import { capabilitiesFor, refusedProfiles } from "./vm-config.js";

/** Runs x86 machines on /dev/kvm. Linux on x86-64 only. */
export class KvmBackend implements Backend {
  readonly name = "kvm";

  async probe(): Promise<BackendReport> {
    const probe = examine();
    const { failure } = probe;
    return {
      name: this.name,
      available: failure === "",
      reason: failure === "" ? "/dev/kvm opens and makes machines" : failure,
      capabilities: capabilitiesFor(probe),
      refusedProfiles: refusedProfiles(probe),
      calibratedInstructionsPerSecond: null,
      claimsHardware: true,
    };
  }

  createVm(config: VmConfig, handler: ExitHandler): Promise<Vm> {
    return KvmVm.create(config, handler);
  }
}

function examine(): KvmProbe {
  if (process.platform !== "linux" || process.arch !== "x64") {
    return {
      failure: `KVM is of Linux on x86-64, and this is ${process.platform} on ${process.arch}`,
      maxVcpus: 0,
      profiles: {},
    };
  }
  try {
    return nativeAddon().probe();
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error), maxVcpus: 0, profiles: {} };
  }
}

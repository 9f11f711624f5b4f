// One machine on KVM. Its engine is threads of this process (native/engine): the kernel is the wall around the guest.

import { type ExitHandler, RingzeroError, type VmConfig, type VmInspection } from "@ringzero/api";
import { EngineVm, hostCall, toNativeOptions } from "@ringzero/native";
import { nativeAddon } from "./native-parts.js";
import { capabilitiesFor, ENGINE_OPTIONS, refusedProfiles } from "./vm-config.js";

export class KvmVm extends EngineVm {
  /** Counts of exits and rings. Nothing is translated, so there is no code to list. */
  readonly inspection: VmInspection = {
    counters: () => this.readCounters(),
    listing: async () => {
      throw new RingzeroError("VM_UNSUPPORTED", "KVM runs the guest's own code: there is no translation of it to list");
    },
  };

  /**
   * Make the memory and the machine, and wait until it serves commands.
   * @throws TypeError, RangeError for what no backend could take
   * @throws RingzeroError `VM_UNSUPPORTED` for more than the capabilities
   * @throws RingzeroError `VM_HOST_FAILURE` when the host refuses, naming the ioctl, the errno and what to do
   */
  static async create(config: VmConfig, handler: ExitHandler): Promise<KvmVm> {
    const probe = hostCall("load the KVM addon", () => nativeAddon().probe());
    if (probe.failure !== "")
      throw new RingzeroError("VM_HOST_FAILURE", `cannot create the machine ${config.name} on KVM: ${probe.failure}`);
    const capabilities = capabilitiesFor(probe);
    const options = toNativeOptions(config, {
      backend: "kvm",
      capabilities,
      refusedProfiles: refusedProfiles(probe),
      engineOptions: ENGINE_OPTIONS,
    });
    return EngineVm.ready(new KvmVm(config, handler, options, nativeAddon));
  }
}

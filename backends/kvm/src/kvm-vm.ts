// One machine on KVM. Its engine is threads of this process (native/engine): the kernel is the wall around the guest.

import {
  type DebugSettings,
  type ExitHandler,
  type MemoryRange,
  RingzeroError,
  type VmConfig,
  type VmInspection,
} from "@ringzero/api";
import { Command, EngineVm, hostCall, toNativeOptions } from "@ringzero/native";
import { nativeAddon } from "./native-parts.js";
import { capabilitiesFor, ENGINE_OPTIONS, refusedProfiles } from "./vm-config.js";

const MAX_BREAKPOINTS = 4;
const DEBUG_BYTES = 8 + 8 * MAX_BREAKPOINTS; // DebugImage in native/engine/commands.cpp
const DIRTY_ENTRY_BYTES = 16;

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
    return EngineVm.ready(new KvmVm("kvm", config, handler, options, nativeAddon));
  }

  override async trackDirty(on: boolean): Promise<void> {
    this.checkOpen("track written pages");
    await this.commands.post("track written pages", Command.trackDirty, 0, Uint8Array.of(on ? 1 : 0));
  }

  override async takeDirty(): Promise<readonly MemoryRange[]> {
    this.checkOpen("take the log of written pages");
    const bytes = await this.commands.post("take the log of written pages", Command.takeDirty);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Array.from({ length: bytes.length / DIRTY_ENTRY_BYTES }, (_, i) => ({
      at: Number(view.getBigUint64(i * DIRTY_ENTRY_BYTES, true)),
      sizeBytes: Number(view.getBigUint64(i * DIRTY_ENTRY_BYTES + 8, true)),
    }));
  }

  protected override async debug(vcpu: number, settings: DebugSettings): Promise<void> {
    const breakpoints = settings.breakpoints ?? [];
    if (breakpoints.length > MAX_BREAKPOINTS) {
      throw new RangeError(`a vCPU has at most ${MAX_BREAKPOINTS} breakpoints, not ${breakpoints.length}`);
    }
    this.checkOpen("debug a vCPU");
    const bytes = new Uint8Array(DEBUG_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, settings.singleStep === true ? 1 : 0, true);
    view.setUint32(4, breakpoints.length, true);
    for (const [i, at] of breakpoints.entries()) view.setBigUint64(8 + 8 * i, BigInt.asUintN(64, at), true);
    await this.commands.post("debug a vCPU", Command.debug, vcpu, bytes);
  }
}

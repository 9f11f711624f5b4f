// Where a case of moves plays: a stage of each of two backends, and machines of one shape that both of them can have.

import { type BackendReport, type ExitHandler, RingzeroError, type VmConfig } from "@ringzero/api";
import type { GuestProgram } from "../backend/program.js";
import { type Actor, type Stage } from "../backend/stage.js";
import { MEMORY } from "../backend/start-state.js";

/** The other backend cannot honour the state of a guest. */
export class MoveRefused extends Error {
  override readonly name = "MoveRefused";
}

export class MoveStage {
  /** Both backends claim to share memory, so that none is copied. */
  readonly shares: boolean;

  /** @param cpuProfiles  those that both backends claim */
  constructor(
    readonly from: Stage,
    readonly to: Stage,
    readonly cpuProfiles: readonly string[],
  ) {
    this.shares = from.report.capabilities.memorySharing && to.report.capabilities.memorySharing;
  }

  /** A VM of the first backend with a program at its first instruction, paused. */
  load(guest: GuestProgram, more: Partial<VmConfig> = {}, answer?: ExitHandler): Promise<Actor> {
    return this.from.load(guest, { cpuProfile: this.cpuProfiles[0]!, ...more }, answer);
  }

  /**
   * Carry a paused guest over; what it was on is gone then.
   * @param to  the stage of the backend that it goes to
   * @param more  the shape of its machine, as it was loaded
   * @returns what it is on now, paused
   * @throws MoveRefused when the state is refused there; the guest is where it was then
   */
  async move(actor: Actor, to: Stage, more: Partial<VmConfig> = {}, answer?: ExitHandler): Promise<Actor> {
    const { vm } = actor;
    const memory = this.shares ? { memoryFd: vm.shareMemory() } : {};
    const next = await to.open({ cpuProfile: this.cpuProfiles[0]!, ...more, ...memory }, answer);
    if (!this.shares) for (const { at, sizeBytes } of MEMORY) next.vm.memory.write(at, vm.memory.view(at, sizeBytes));
    const state = await vm.saveState();
    try {
      await next.vm.loadState(state);
    } catch (error) {
      if (!(error instanceof RingzeroError) || error.code !== "VM_UNSUPPORTED") throw error;
      throw new MoveRefused(`${to.report.name} refuses a state of another backend: ${error.message}`, { cause: error });
    }
    await vm.dispose({ keepMemory: this.shares });
    return next;
  }

  async close(): Promise<void> {
    try {
      await this.from.close();
    } finally {
      await this.to.close();
    }
  }
}

/** CPU profiles that both backends claim, in the order of the first. */
export function commonProfiles(one: BackendReport, other: BackendReport): readonly string[] {
  return one.capabilities.cpuProfiles.filter((profile) => other.capabilities.cpuProfiles.includes(profile));
}

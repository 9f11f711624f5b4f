// Moves a machine from one backend to another while it computes. What must stay true: whatever fails before the last step, the machine
// goes on where it was; a guest is never on both.

import { type GuestMemory, type MemoryRange, RingzeroError, type Vm } from "@ringzero/api";
import type { MovableVm } from "./movable-vm.js";
import type { MachineMoved, MoveOrder } from "./machine-plan.js";
import { patience, type Within } from "./patience.js";
import type { RunControl } from "./run-control.js";

/** Bytes that are copied in one piece. */
const PIECE_BYTES = 64 * 2 ** 20;

export interface MoveParts {
  readonly vm: MovableVm;
  readonly run: RunControl;
  readonly memory: readonly MemoryRange[];
  /** Make a VM of the machine's shape on another backend, over this memory or with memory of its own. */
  readonly create: (order: MoveOrder, memoryFd: number | undefined) => Promise<Vm>;
  /** Tell the embedder of something that went wrong after the move. */
  readonly warn: (message: string) => void;
}

export class MachineMove {
  constructor(readonly parts: MoveParts) {}

  /**
   * @returns for how long the guest stood still
   * @throws RingzeroError `STATE_CONFLICT` when no guest is there that could go on
   * @throws RingzeroError `MOVE_TIMEOUT` when a backend or a device does not answer; the machine has not moved then
   * @throws RingzeroError what the other backend throws when it cannot have this machine; the machine has not moved then
   */
  async to(order: MoveOrder): Promise<MachineMoved> {
    const { vm, run } = this.parts;
    const within = patience(order.timeoutMs, "the machine goes on where it was");
    const shortly = patience(order.timeoutMs, "it is left to the garbage collector");
    const putAway = (left: Vm, what: string): Promise<void> =>
      shortly(what, left.dispose({ keepMemory: order.shareMemory })).catch((error: unknown) => {
        this.parts.warn(`${what} could not be put away: ${said(error)}`);
      });
    const next = await this.#create(order, within, (late) => void putAway(late, "what the other backend made too late"));
    try {
      vm.stage(next);
    } catch (error) {
      await putAway(next, "what the other backend had made");
      throw error;
    }
    let left: Vm | null = null;
    let pausedMs = 0;
    try {
      await run.whileHeld("move", within, async () => {
        const began = performance.now();
        await vm.transfer(order.shareMemory ? null : (from, to) => this.#copy(from, to), within);
        left = vm.commit();
        pausedMs = performance.now() - began;
      });
    } catch (error) {
      if (!left) {
        const unused = vm.giveUp();
        if (unused) await putAway(unused, "what the other backend had made");
        throw error;
      }
      this.parts.warn(`the machine has moved, but its devices did not all go on: ${said(error)}`);
    }
    if (left) await putAway(left, "what the machine left behind");
    return { pausedMs };
  }

  async #create(order: MoveOrder, within: Within, late: (vm: Vm) => void): Promise<Vm> {
    const { vm, create } = this.parts;
    try {
      const made = create(order, order.shareMemory ? vm.shareMemory() : undefined);
      return await within(`backend ${order.backend.name}`, made, late);
    } catch (error) {
      if (error instanceof RingzeroError || error instanceof RangeError || error instanceof TypeError) throw error;
      throw new RingzeroError("VM_PLUGIN_FAILED", `backend ${order.backend.name} could not take the machine: ${said(error)}`, {
        cause: error,
      });
    }
  }

  #copy(from: GuestMemory, to: GuestMemory): void {
    for (const { at, sizeBytes } of this.parts.memory) {
      for (let done = 0; done < sizeBytes; done += PIECE_BYTES) {
        const count = Math.min(PIECE_BYTES, sizeBytes - done);
        to.write(at + done, from.view(at + done, count));
      }
    }
  }
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// The VM of a machine, whichever backend it is on now: a Vm that can be put onto another one under its devices. What must stay true:
// whatever holds this sees one machine all along. Doorbells, driven lines, console bytes and listeners come along, nothing that a
// device does while the machine is between two backends is lost, and until `commit` everything can still be undone.

import type {
  Doorbell,
  DoorbellMatch,
  GuestMemory,
  IrqController,
  MachineStateBytes,
  MemoryRange,
  Vcpu,
  Vm,
  VmEvents,
  VmInspection,
} from "@ringzero/api";
import { MovableUart } from "./movable-uart.js";
import type { Within } from "./patience.js";

interface Bell {
  readonly match: DoorbellMatch;
  readonly ring: () => void;
  live: Doorbell;
  /** On the VM that the machine is about to move to. */
  staged: Doorbell | null;
}

const MSI_FIRST = 0xfee00000;
const MSI_LAST = 0xfeefffff;

type Listeners = { [K in keyof VmEvents]: ((event: VmEvents[K]) => void)[] };

export class MovableVm implements Vm {
  readonly uarts: readonly MovableUart[];
  readonly #listeners: Listeners = { crashed: [], "uart-output": [] };
  readonly #bells = new Set<Bell>();
  /** Lines that devices assert. */
  readonly #asserted = new Set<number>();
  /** Those at the time of saving: the state has their level, the next VM does not know that somebody holds them. */
  #assertedThen: readonly number[] = [];
  #now: Vm;
  #next: Vm | null = null;
  /** Interrupts that devices drove since the state was saved, oldest first; null: they go to the VM at once. */
  #heldInterrupts: ((to: IrqController) => void)[] | null = null;

  constructor(vm: Vm) {
    this.#now = vm;
    this.uarts = vm.uarts.map((uart) => new MovableUart(uart));
    this.#listen(vm);
  }

  readonly memory: GuestMemory = (() => {
    const now = () => this.#now.memory;
    return {
      get sizeBytes() {
        return now().sizeBytes;
      },
      view: (at, sizeBytes) => now().view(at, sizeBytes),
      write: (at, bytes) => now().write(at, bytes),
      read: (at, sizeBytes) => now().read(at, sizeBytes),
      touched: (at, sizeBytes) => now().touched(at, sizeBytes),
    };
  })();

  readonly interrupts: IrqController = {
    setLine: (gsi, asserted) => {
      if (!this.#heldInterrupts) this.#now.interrupts.setLine(gsi, asserted);
      else this.#heldInterrupts.push((to) => to.setLine(gsi, asserted));
      if (asserted) this.#asserted.add(gsi);
      else this.#asserted.delete(gsi);
    },
    msi: (at, data) => {
      if (at < MSI_FIRST || at > MSI_LAST) throw new RangeError(`0x${at.toString(16)} is not an address of interrupt messages`);
      if (!this.#heldInterrupts) this.#now.interrupts.msi(at, data);
      else this.#heldInterrupts.push((to) => to.msi(at, data));
    },
  };

  get inspection(): VmInspection | undefined {
    return this.#now.inspection;
  }

  get vcpus(): readonly Vcpu[] {
    return this.#now.vcpus;
  }

  on<K extends keyof VmEvents>(event: K, listener: (event: VmEvents[K]) => void): void {
    this.#listeners[event].push(listener);
  }

  run(): void {
    this.#now.run();
  }

  pause(): Promise<void> {
    return this.#now.pause();
  }

  reset(): Promise<void> {
    return this.#now.reset();
  }

  doorbell(match: DoorbellMatch, ring: () => void): Doorbell {
    const bell: Bell = { match, ring, live: this.#now.doorbell(match, ring), staged: null };
    this.#bells.add(bell);
    return {
      dispose: () => {
        this.#bells.delete(bell);
        bell.live.dispose();
        bell.staged?.dispose();
      },
    };
  }

  saveState(): Promise<MachineStateBytes> {
    return this.#now.saveState();
  }

  loadState(state: MachineStateBytes): Promise<void> {
    return this.#now.loadState(state);
  }

  shareMemory(): number {
    return this.#now.shareMemory();
  }

  trackDirty(on: boolean): Promise<void> {
    return this.#now.trackDirty(on);
  }

  takeDirty(): Promise<readonly MemoryRange[]> {
    return this.#now.takeDirty();
  }

  dispose(options?: { readonly keepMemory?: boolean }): Promise<void> {
    return this.#now.dispose(options);
  }

  /**
   * Get ready to become `next`, while the guest runs on.
   * @throws what `next` throws when it cannot have the machine's doorbells; nothing has changed then
   */
  stage(next: Vm): void {
    this.#next = next;
    try {
      for (const bell of this.#bells) bell.staged = next.doorbell(bell.match, bell.ring);
    } catch (error) {
      this.giveUp();
      throw error;
    }
  }

  /**
   * Carry the guest over to the staged VM. Only while paused. Devices may go on to drive interrupts and to write to serial ports: it waits.
   * @param copyMemory  when the two VMs have memory of their own each
   * @param within  how long to wait for the two
   * @throws what `saveState` and `loadState` throw; `giveUp` undoes it all then
   */
  async transfer(copyMemory: ((from: GuestMemory, to: GuestMemory) => void) | null, within: Within): Promise<void> {
    for (const uart of this.uarts) uart.hold();
    this.#heldInterrupts = [];
    this.#assertedThen = [...this.#asserted];
    const state = await within("the engine that the machine is on", this.#now.saveState());
    for (const uart of this.uarts) uart.collect(); // what the saving still pushed out of the transmitter
    copyMemory?.(this.#now.memory, this.#next!.memory);
    await within("the backend that it was to move to", this.#next!.loadState(state));
  }

  /** From here on the machine is on the staged VM. @returns the one that it was on, paused and to be disposed of */
  commit(): Vm {
    const before = this.#now;
    const now = this.#next!;
    this.#now = now;
    this.#next = null;
    for (const bell of this.#bells) {
      bell.live.dispose();
      bell.live = bell.staged!;
      bell.staged = null;
    }
    const held = this.#heldInterrupts ?? [];
    this.#heldInterrupts = null;
    for (const gsi of this.#assertedThen) now.interrupts.setLine(gsi, true);
    for (const drive of held) drive(now.interrupts);
    this.#listen(now);
    for (const [index, uart] of this.uarts.entries()) {
      uart.moveTo(now.uarts[index]!);
      this.#emit("uart-output", { index });
    }
    return before;
  }

  /** Stay where the machine is. @returns the VM that was staged, to be disposed of */
  giveUp(): Vm | null {
    const next = this.#next;
    this.#next = null;
    for (const bell of this.#bells) {
      bell.staged?.dispose();
      bell.staged = null;
    }
    const held = this.#heldInterrupts ?? [];
    this.#heldInterrupts = null;
    for (const drive of held) drive(this.#now.interrupts);
    for (const [index, uart] of this.uarts.entries()) {
      uart.release();
      this.#emit("uart-output", { index });
    }
    return next;
  }

  #listen(vm: Vm): void {
    vm.on("crashed", (crash) => {
      if (vm === this.#now) this.#emit("crashed", crash);
    });
    vm.on("uart-output", (output) => {
      if (vm === this.#now) this.#emit("uart-output", output);
    });
  }

  #emit<K extends keyof VmEvents>(name: K, event: VmEvents[K]): void {
    for (const listener of [...this.#listeners[name]]) listener(event);
  }
}

// One machine of the tiny backend: its life, on the event loop of whoever made it. What must stay true: the guest runs in turns of a few
// milliseconds, so that it never holds the loop; outside of a turn nothing of it runs.

import {
  type Doorbell,
  type DoorbellMatch,
  type ExitHandler,
  type IrqController,
  type MachineStateBytes,
  type MemoryRange,
  type Registers,
  RingzeroError,
  type Vcpu,
  type Vm,
  type VmConfig,
  type VmEvents,
} from "@ringzero/api";
import { Bus } from "./bus.js";
import { step } from "./instructions.js";
import { TinyMemory } from "./memory.js";
import { Processor } from "./processor.js";

const TURN_MS = 2;
const LOOK_AT_CLOCK_EVERY = 256; // instructions

type Listeners = { [K in keyof VmEvents]: ((event: VmEvents[K]) => void)[] };

export class TinyVm implements Vm {
  readonly memory: TinyMemory;
  readonly vcpus: readonly Vcpu[];
  readonly uarts = [];
  readonly #bus: Bus;
  readonly #cpu: Processor;
  readonly #listeners: Listeners = { crashed: [], "uart-output": [] };
  #running = false;
  #inTurn = false;
  /** Why everything is refused now; null: it is not. */
  #gone: RingzeroError | null = null;

  constructor(
    readonly config: VmConfig,
    handler: ExitHandler,
  ) {
    this.memory = new TinyMemory(config.memory);
    this.#bus = new Bus(this.memory, handler);
    this.#cpu = new Processor(this.#bus);
    this.vcpus = [this.#vcpu()];
  }

  on<K extends keyof VmEvents>(event: K, listener: (event: VmEvents[K]) => void): void {
    this.#listeners[event].push(listener);
  }

  // #region run
  run(): void {
    this.#requireOpen();
    if (this.#running) return;
    this.#running = true;
    if (!this.#inTurn) setImmediate(() => this.#turn());
  }

  async pause(): Promise<void> {
    this.#requireOpen();
    await this.#stop();
  }

  /** Instructions for some milliseconds; then others have their turn, and the next of this guest follows. */
  #turn(): void {
    if (!this.#running || this.#inTurn) return;
    this.#inTurn = true;
    const endMs = performance.now() + TURN_MS;
    try {
      for (let count = 1; this.#running && !this.#cpu.halted; count += 1) {
        step(this.#cpu); // calls the exit handler, which may pause or dispose of this machine
        if (count % LOOK_AT_CLOCK_EVERY === 0 && performance.now() > endMs) break;
      }
    } catch (error) {
      this.#crash(error);
    }
    this.#inTurn = false;
    if (this.#running && !this.#cpu.halted) setImmediate(() => this.#turn());
  }

  async #stop(): Promise<void> {
    this.#running = false;
    while (this.#inTurn) await new Promise((later) => setImmediate(later)); // asked for by an exit handler
  }
  // #endregion run

  // #region end
  async reset(): Promise<void> {
    this.#requirePaused("reset the machine");
    this.#cpu.reset();
  }

  async dispose(): Promise<void> {
    this.#gone = new RingzeroError("VM_NOT_OPEN", `the machine ${this.config.name} was disposed of`);
    await this.#stop();
  }

  /** What the guest did cannot be done here, or a device threw: this machine ends, and nothing else. */
  #crash(error: unknown): void {
    this.#running = false;
    if (this.#gone) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#gone = new RingzeroError("VM_CRASHED", `the machine ${this.config.name} crashed: ${reason}`, { cause: error });
    const { cs } = this.#cpu.registers;
    const flightRecorder = `at ${cs.selector.toString(16)}:${this.#cpu.ip.toString(16)}`;
    for (const listener of this.#listeners.crashed) listener({ reason, signal: null, exitCode: null, flightRecorder });
  }
  // #endregion end

  // #region claimed
  doorbell(match: DoorbellMatch, ring: () => void): Doorbell {
    this.#requireOpen();
    return this.#bus.doorbell(match, ring);
  }

  async trackDirty(on: boolean): Promise<void> {
    this.#requireOpen();
    this.memory.track(on);
  }

  async takeDirty(): Promise<readonly MemoryRange[]> {
    this.#requireOpen();
    const written = this.memory.takeWritten();
    if (!written) throw new RingzeroError("VM_UNSUPPORTED", "nothing is tracked; call trackDirty(true) first");
    return written;
  }
  // #endregion claimed

  // #region unclaimed
  async saveState(): Promise<MachineStateBytes> {
    throw unclaimed("save a state");
  }

  async loadState(): Promise<void> {
    throw unclaimed("load a state");
  }

  shareMemory(): number {
    throw unclaimed("share its memory");
  }

  readonly interrupts: IrqController = {
    setLine: () => undefined, // there are no interrupt controllers yet that would see a line
    msi: () => {
      throw unclaimed("take interrupt messages");
    },
  };
  // #endregion unclaimed

  #vcpu(): Vcpu {
    return {
      index: 0,
      getRegisters: async () => {
        this.#requirePaused("read registers");
        return this.#cpu.registers;
      },
      setRegisters: async (registers: Partial<Registers>) => {
        this.#requirePaused("set registers");
        this.#cpu.registers = { ...this.#cpu.registers, ...registers };
      },
      debug: async () => {
        throw unclaimed("debug its processor");
      },
    };
  }

  #requireOpen(): void {
    if (this.#gone) throw this.#gone;
  }

  #requirePaused(what: string): void {
    this.#requireOpen();
    if (this.#running || this.#inTurn) throw new RingzeroError("VM_VCPU_BUSY", `cannot ${what}: the guest runs; pause it first`);
  }
}

function unclaimed(what: string): RingzeroError {
  return new RingzeroError("VM_UNSUPPORTED", `the tiny backend cannot ${what}; look at its capabilities first`);
}

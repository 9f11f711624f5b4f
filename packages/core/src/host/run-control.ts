// Starts, halts and resets one VM, and decides how a run ends. What must stay true: operations go one at a time, a run ends once,
// and nothing a device does (throwing included) gets past `guard`.

import { type Backend, type BootImage, type MachineExit, type PowerControl, RingzeroError, type Vm } from "@ringzero/api";
import type { HostEvent } from "./machine-plan.js";
import type { Within } from "./patience.js";

/** What RunControl works on, known once the VM is made and the devices are attached. */
export interface RunParts {
  readonly vm: Vm;
  readonly image: BootImage;
  readonly resetDevices: () => void;
  readonly pauseDevices: () => Promise<void>;
  readonly resumeDevices: () => Promise<void>;
  /** Hand on what the guest wrote before it stopped. */
  readonly flushConsole: () => void;
}

export class RunControl {
  #parts: RunParts | null = null;
  #tail: Promise<unknown> = Promise.resolve();
  #wantsRun = false;
  #ended = true; // no run is under way
  #ran = false;
  #dead = false; // the VM is gone
  #resetsDue = 0; // asked for by the guest, not done yet

  constructor(
    readonly backend: Backend["name"],
    readonly emit: (event: HostEvent) => void,
  ) {}

  bind(parts: RunParts): void {
    this.#parts = parts;
    parts.vm.on("crashed", (crash) => {
      this.#dead = true;
      this.emit({ kind: "crashed", crash });
      this.#end({ reason: "crashed", message: crash.reason, flightRecorder: crash.flightRecorder });
    });
  }

  start(): Promise<void> {
    return this.#serial(async ({ vm, resetDevices }) => {
      if (this.#ran) {
        await vm.reset();
        resetDevices();
      }
      this.#ran = true;
      this.#ended = false;
      this.#wantsRun = true;
      await this.#load();
      if (!this.#ended) vm.run();
    });
  }

  pause(): Promise<void> {
    return this.#serial(async ({ vm, pauseDevices }) => {
      this.#wantsRun = false;
      await vm.pause();
      await pauseDevices();
    });
  }

  resume(): Promise<void> {
    return this.#serial(async ({ vm, resumeDevices }) => {
      if (this.#ended) return;
      this.#wantsRun = true;
      await resumeDevices();
      vm.run();
    });
  }

  reset(): Promise<void> {
    return this.#serial((parts) => this.#reset(parts));
  }

  /**
   * Hold guest and devices still for `work`, then let them go on as before, also when it throws or they do not come to a rest.
   * @param within  how long to wait for them
   * @throws RingzeroError `STATE_CONFLICT` when the run is over
   */
  whileHeld<T>(what: string, within: Within, work: () => Promise<T>): Promise<T> {
    return this.#serial(async ({ vm, pauseDevices, resumeDevices }) => {
      const ran = this.#wantsRun;
      let rest = false;
      try {
        if (ran && !this.#dead) await within("the engine that the machine is on", vm.pause());
        if (this.#ended) throw new RingzeroError("STATE_CONFLICT", `cannot ${what} the machine: its run has just ended`);
        rest = ran;
        if (ran) await within("a device that was asked to pause", pauseDevices());
        return await work();
      } finally {
        if (rest) await resumeDevices();
        // A guest that asked for a reset runs again after it.
        if (ran && !this.#ended && !this.#dead && this.#resetsDue === 0) vm.run();
      }
    });
  }

  stop(): Promise<void> {
    this.#ended = true;
    return this.#serial(async ({ vm, flushConsole }) => {
      this.#wantsRun = false;
      if (!this.#dead) await vm.pause();
      flushConsole();
    });
  }

  /** Run a device's code; a throw ends this machine's run and gives `otherwise`. */
  guard = <T>(owner: string, call: () => T, otherwise: T): T => {
    try {
      return call();
    } catch (error) {
      this.fail(owner, error);
      return otherwise;
    }
  };

  /** A device's code threw. */
  fail(device: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const stack = error instanceof Error ? (error.stack ?? "") : "";
    this.emit({ kind: "device-error", failure: { device, message, stack } });
    this.#end({ reason: "device-error", device, message });
  }

  /** What devices may ask of the machine. */
  readonly power: PowerControl = {
    requestPowerOff: () => this.#end({ reason: "powered-off" }),
    exit: (code) => this.#end({ reason: "debug-exit", code: code & 0xff }),
    requestReset: () => this.requestReset(),
  };

  requestReset(): void {
    if (this.#ended || this.#dead) return;
    this.#haltSoon();
    this.#resetsDue += 1;
    void this.#serial(async (parts) => {
      this.#resetsDue -= 1;
      if (this.#ended) return;
      await this.#reset(parts);
      this.emit({ kind: "reset" });
    }).catch((error) => this.#invariant(error));
  }

  tripleFault(vcpu: number): void {
    this.#end({ reason: "triple-fault", vcpu });
  }

  async #reset(parts: RunParts): Promise<void> {
    await parts.vm.pause();
    await parts.vm.reset();
    parts.resetDevices();
    await this.#load();
    if (this.#wantsRun && !this.#ended) parts.vm.run();
  }

  /** Bytes into memory, registers into processor 0. */
  async #load(): Promise<void> {
    const { vm, image } = this.#parts!;
    for (const range of image.ranges) vm.memory.write(range.at, range.bytes);
    await vm.vcpus[0]!.setRegisters(image.registers);
  }

  /** Stop before the guest's next instruction, if this is called from an exit; the operation that follows waits for it. */
  #haltSoon(): void {
    this.#parts?.vm.pause().catch((error) => this.#invariant(error));
  }

  #end(exit: MachineExit): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#wantsRun = false;
    if (!this.#dead) this.#haltSoon();
    void this.#serial(async ({ vm, flushConsole }) => {
      if (!this.#dead) await vm.pause();
      flushConsole();
    })
      .catch((error) =>
        this.emit({
          kind: "log",
          record: {
            level: "error",
            source: this.backend,
            message: `could not halt: ${String(error)}`,
            fields: {},
            at: Date.now(),
          },
        }),
      )
      .finally(() => this.emit({ kind: "exit", exit }));
  }

  /** Something that cannot fail did. The machine ends; the host process goes on. */
  #invariant(error: unknown): void {
    if (this.#ended) return;
    this.#end({ reason: "crashed", message: error instanceof Error ? error.message : String(error), flightRecorder: "" });
  }

  #serial<T>(work: (parts: RunParts) => Promise<T>): Promise<T> {
    const parts = this.#parts;
    if (!parts) throw new RingzeroError("VM_NOT_OPEN", "the machine is not made yet");
    const result = this.#tail.then(() => work(parts));
    this.#tail = result.catch(() => {});
    return result;
  }
}

// One machine: the Vm of the contract over an addon's object (src/binding), whatever engine is behind it. The engine runs in a process
// or in threads of its own; what happens there ends in an exit, a command's answer or the `crashed` event, never in an exception out of
// nowhere. A backend derives from it.

import {
  type DebugSettings,
  type Doorbell,
  type DoorbellMatch,
  type ExitHandler,
  type GuestMemory,
  type IrqController,
  type MachineStateBytes,
  type MemoryRange,
  type Registers,
  RingzeroError,
  type Uart,
  type Vcpu,
  type Vm,
  type VmConfig,
  type VmEvents,
} from "@ringzero/api";
import { constants } from "node:os";
import { CommandQueue } from "./command-queue.js";
import { encodeDebugSettings } from "./debug-settings.js";
import { Doorbells } from "./doorbells.js";
import { ExitRecord } from "./exit-record.js";
import { GuestRam } from "./guest-ram.js";
import { Command, Happening, type NativeAddon, type NativeVm, type NativeVmOptions } from "./native-vm.js";
import { decodeRegisters, encodeRegisters } from "./registers.js";

const START_TIMEOUT_MS = 10_000;
const DEATH_TIMEOUT_MS = 5_000;
const PAGE_BYTES = 4096;
const DIRTY_ENTRY_BYTES = 16; // address and bytes, of 8 each

/** Machines that run or owe an answer: reachable, and keeping the event loop alive. Others may be collected, engine and all. */
const active = new Set<EngineVm>();

type Listeners = { [K in keyof VmEvents]: ((event: VmEvents[K]) => void)[] };

export abstract class EngineVm implements Vm {
  readonly memory: GuestMemory;
  readonly vcpus: readonly Vcpu[];
  readonly interrupts: IrqController;
  readonly uarts: readonly Uart[];
  readonly #name: string;
  readonly #native: NativeVm;
  readonly #ram: GuestRam;
  readonly #record: ExitRecord;
  readonly #handler: ExitHandler;
  readonly #commands: CommandQueue;
  readonly #doorbells: Doorbells;
  readonly #listeners: Listeners = { crashed: [], "uart-output": [] };
  #running = false;
  #started = false;
  #dead = false;
  #disposal: Promise<void> | undefined;
  #whyKilled: string | undefined;
  #onReady: (() => void) | undefined;
  #onDeath: (() => void)[] = [];

  /**
   * Wait until the engine of a machine just constructed serves commands; dispose of it when it does not.
   * @throws RingzeroError `VM_HOST_FAILURE`
   */
  protected static async ready<T extends EngineVm>(vm: T): Promise<T> {
    try {
      await vm.#ready();
    } catch (error) {
      await vm.dispose();
      throw error;
    }
    return vm;
  }

  /**
   * Make the memory and start the engine.
   * @param options  for the addon, made from the checked config
   * @param addon    loads it; what it throws becomes a `VM_HOST_FAILURE`
   * @throws RingzeroError `VM_HOST_FAILURE`
   */
  protected constructor(config: VmConfig, handler: ExitHandler, options: NativeVmOptions, addon: () => NativeAddon) {
    this.#name = config.name;
    this.#handler = handler;
    const dispatch = EngineVm.#weakDispatch(new WeakRef<EngineVm>(this));
    this.#native = hostCall(`create the machine ${config.name}`, () => new (addon().NativeVm)(options, dispatch));
    this.#record = new ExitRecord(this.#native.record);
    this.#ram = new GuestRam(this.#native, config.memory);
    this.memory = this.#ram;
    this.#commands = new CommandQueue(this.#native, () => this.#updateActive());
    this.#doorbells = new Doorbells(this.#native);
    this.vcpus = Array.from({ length: config.vcpus }, (_, index) => this.#vcpu(index));
    this.interrupts = {
      setLine: (gsi, asserted) => this.#setLine(gsi, asserted),
      msi: (at, data) => this.#msi(at, data),
    };
    this.uarts = config.uarts.map((_, index) => ({
      read: (into: Uint8Array) => this.#native.uartRead(index, into),
      write: (bytes: Uint8Array) => this.#native.uartWrite(index, bytes),
      reclaim: () => new Uint8Array(this.#native.uartReclaim(index)),
    }));
    this.#updateActive();
  }

  /** The addon holds this callback, and it must not hold the machine: made here, where no other closure's `this` is in scope. */
  static #weakDispatch(self: WeakRef<EngineVm>): (what: number, argument: number) => void {
    return (what, argument) => {
      const vm = self.deref();
      if (vm !== undefined) vm.#dispatch(what, argument);
    };
  }

  on<K extends keyof VmEvents>(event: K, listener: (event: VmEvents[K]) => void): void {
    this.#listeners[event].push(listener);
  }

  run(): void {
    this.checkOpen("run the machine");
    if (this.#running) return;
    this.#running = true;
    this.#updateActive();
    this.#commands.post("run the machine", Command.run).catch(() => undefined); // a death is the `crashed` event
  }

  async pause(): Promise<void> {
    this.checkOpen("pause the machine");
    await this.#commands.post("pause the machine", Command.pause);
    this.#running = false;
    this.#updateActive();
  }

  async reset(): Promise<void> {
    this.checkOpen("reset the machine");
    await this.#commands.post("reset the machine", Command.reset);
  }

  doorbell(match: DoorbellMatch, ring: () => void): Doorbell {
    this.checkOpen("add a doorbell");
    return this.#doorbells.add(match, ring);
  }

  async saveState(): Promise<MachineStateBytes> {
    this.checkOpen("save the state");
    return this.#commands.post("save the state", Command.saveState);
  }

  async loadState(state: MachineStateBytes): Promise<void> {
    this.checkOpen("load a state");
    await this.#commands.post("load a state", Command.loadState, 0, state);
  }

  shareMemory(): number {
    this.checkOpen("share its memory");
    return this.#native.shareRam();
  }

  async trackDirty(on: boolean): Promise<void> {
    this.checkOpen("track written pages");
    await this.#commands.post("track written pages", Command.trackDirty, 0, Uint8Array.of(on ? 1 : 0));
  }

  async takeDirty(): Promise<readonly MemoryRange[]> {
    this.checkOpen("take the log of written pages");
    const ranges: MemoryRange[] = [];
    // An answer that does not fit comes in parts. There are never more ranges than pages, whatever an engine says.
    for (let more = true, part = 0; more && ranges.length <= this.memory.sizeBytes / PAGE_BYTES; part = 1) {
      const bytes = await this.#commands.post("take the log of written pages", Command.takeDirty, 0, Uint8Array.of(part));
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      more = false;
      for (let i = 0; i + DIRTY_ENTRY_BYTES <= bytes.length; i += DIRTY_ENTRY_BYTES) {
        const range = { at: Number(view.getBigUint64(i, true)), sizeBytes: Number(view.getBigUint64(i + 8, true)) };
        if (range.sizeBytes === 0) more = true;
        else ranges.push(range);
      }
    }
    return ranges;
  }

  /** Counts of the engine by name, for `inspection`. Any time. */
  protected async readCounters(): Promise<Readonly<Record<string, number>>> {
    const text = Buffer.from(await this.#commands.post("read the counters", Command.counters)).toString("latin1");
    const lines = text.split("\n").filter((line) => line !== "");
    return Object.fromEntries(lines.map((line) => line.split(" ")).map(([name, value]) => [name, Number(value)]));
  }

  protected get native(): NativeVm {
    return this.#native;
  }

  protected get commands(): CommandQueue {
    return this.#commands;
  }

  dispose(options: { readonly keepMemory?: boolean } = {}): Promise<void> {
    this.#disposal ??= this.#dispose(options.keepMemory === true);
    return this.#disposal;
  }

  async #dispose(keepMemory: boolean): Promise<void> {
    this.#ram.close();
    this.#updateActive();
    if (!this.#dead) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, DEATH_TIMEOUT_MS); // a process that the kernel cannot end: give up waiting for it
        this.#onDeath.push(() => {
          clearTimeout(timer);
          resolve();
        });
        this.#native.kill();
      });
    } else {
      await Promise.resolve(); // never from inside the callback that is still using the object
    }
    this.#native.close(keepMemory ? 1 : 0);
    this.#dead = true;
    this.#commands.end(notOpen(this.#name, "it was disposed"));
    active.delete(this);
  }

  #ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void =>
        reject(new RingzeroError("VM_HOST_FAILURE", `the engine of ${this.#name} did not start: ${why}`));
      const timer = setTimeout(() => fail(`no sign of life after ${START_TIMEOUT_MS / 1000} s`), START_TIMEOUT_MS);
      this.#onReady = (): void => {
        clearTimeout(timer);
        this.#started = true;
        this.#updateActive();
        resolve();
      };
      this.#onDeath.push(() => {
        clearTimeout(timer);
        const status = this.#native.status();
        const said = status?.flightRecorder.split("\n", 1)[0];
        fail(said !== undefined && said !== "" ? said : `it ended at once (${describeEnd(status)})`);
      });
    });
  }

  #dispatch(what: number, argument: number): void {
    try {
      switch (what) {
        case Happening.exit:
          this.#record.serve(this.#handler);
          break;
        case Happening.doorbell:
          this.#doorbells.ring(argument);
          break;
        case Happening.uart:
          this.#emit("uart-output", { index: argument });
          break;
        case Happening.command:
          this.#commands.answered();
          break;
        case Happening.ready:
          this.#onReady?.();
          break;
        case Happening.died:
          this.#died();
          break;
      }
    } catch (error) {
      // A device model or listener broke an invariant of ours: stop this machine, never the host process.
      this.#whyKilled ??= `a callback of the host threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
      this.#native.kill();
    }
  }

  #died(): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#running = false;
    const status = this.#native.status();
    const end = describeEnd(status);
    this.#commands.end(crashed(this.#name, `its engine ended (${end})`));
    const waiting = this.#onDeath;
    const disposing = this.#disposal !== undefined;
    const started = this.#started;
    this.#onDeath = [];
    for (const tell of waiting) tell();
    this.#updateActive();
    if (disposing || !started) return;
    this.#emit("crashed", {
      reason: this.#whyKilled ?? (status?.reason || `the engine process ended unexpectedly: ${end}`),
      signal: signalName(status?.signal ?? 0),
      exitCode: status === undefined || status.signal !== 0 || status.exitCode < 0 ? null : status.exitCode,
      flightRecorder: status?.flightRecorder ?? "",
    });
  }

  #emit<K extends keyof VmEvents>(name: K, event: VmEvents[K]): void {
    for (const listener of [...this.#listeners[name]]) listener(event);
  }

  #vcpu(index: number): Vcpu {
    return {
      index,
      getRegisters: async () => {
        this.checkOpen("read registers");
        return decodeRegisters(await this.#commands.post("read registers", Command.getRegisters, index));
      },
      setRegisters: async (registers: Partial<Registers>) => {
        this.checkOpen("set registers");
        const before = decodeRegisters(await this.#commands.post("set registers", Command.getRegisters, index));
        await this.#commands.post("set registers", Command.setRegisters, index, encodeRegisters({ ...before, ...registers }));
      },
      debug: (settings: DebugSettings) => this.#debug(index, settings),
    };
  }

  async #debug(vcpu: number, settings: DebugSettings): Promise<void> {
    const image = encodeDebugSettings(settings);
    this.checkOpen("debug a vCPU");
    await this.#commands.post("debug a vCPU", Command.debug, vcpu, image);
  }

  #setLine(gsi: number, asserted: boolean): void {
    if (!Number.isInteger(gsi) || gsi < 0 || gsi > 23) throw new RangeError(`interrupt line ${gsi} is not in 0..23`);
    this.#native.setLine(gsi, asserted ? 1 : 0);
  }

  #msi(at: number, data: number): void {
    if (!Number.isInteger(at) || at < 0xfee00000 || at > 0xfeefffff) {
      throw new RangeError(`0x${at.toString(16)} is not an address of interrupt messages (FEE00000h..FEEFFFFFh)`);
    }
    this.#native.msi(at, data);
  }

  /** @throws RingzeroError `VM_NOT_OPEN`, `VM_CRASHED` */
  protected checkOpen(what: string): void {
    if (this.#disposal !== undefined) throw notOpen(this.#name, `it was disposed; cannot ${what}`);
    if (this.#dead) throw crashed(this.#name, `its engine ended; cannot ${what}`);
  }

  #updateActive(): void {
    const wanted = this.#running || this.#commands.busy || (!this.#dead && (!this.#started || this.#disposal !== undefined));
    if (wanted === active.has(this)) return;
    if (wanted) active.add(this);
    else active.delete(this);
    this.#native.keepAlive(wanted ? 1 : 0);
  }
}

function notOpen(name: string, why: string): RingzeroError {
  return new RingzeroError("VM_NOT_OPEN", `the machine ${name} is not open: ${why}`);
}

function crashed(name: string, why: string): RingzeroError {
  return new RingzeroError("VM_CRASHED", `the machine ${name} crashed: ${why}; dispose it and create another`);
}

function signalName(signal: number): string | null {
  if (signal === 0) return null;
  const found = Object.entries(constants.signals).find(([, number]) => number === signal);
  return found?.[0] ?? `signal ${signal}`;
}

function describeEnd(status: { readonly signal: number; readonly exitCode: number } | undefined): string {
  if (status === undefined) return "unknown status";
  return signalName(status.signal) ?? (status.exitCode < 0 ? "unknown status" : `exit code ${status.exitCode}`);
}

/**
 * Do what the host may refuse.
 * @throws RingzeroError `VM_HOST_FAILURE` for any error but a TypeError or RangeError, naming `what`
 */
export function hostCall<T>(what: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) throw error;
    throw new RingzeroError("VM_HOST_FAILURE", `cannot ${what}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

// A backend without an engine: its guest is a script of exits. For tests of whatever sits above a backend, inline and in workers.
// What must stay true: it keeps the contract of api/backend.ts as strictly as a real one, so that a test that passes here means something.

import {
  type Backend,
  type BackendReport,
  checkVmConfig,
  definePlugin,
  type Doorbell,
  type DoorbellMatch,
  type ExitHandler,
  type MachineStateBytes,
  type Registers,
  RingzeroError,
  type Vm,
  type VmConfig,
  type VmEvents,
} from "@ringzero/api";
import { ArrayMemory } from "./array-memory.js";
import type { FakeStep } from "./fake-script.js";
import { FakeVcpu } from "./fake-vcpu.js";
import { FakeUart } from "./fake-uart.js";

type Listeners = { [K in keyof VmEvents]: ((event: VmEvents[K]) => void)[] };
type DoorbellEntry = { readonly match: DoorbellMatch; readonly ring: () => void };

const TICK_MS = 1;

/** Options by which a test changes what the fake claims. */
export interface FakeOptions {
  readonly available?: boolean;
  readonly reason?: string;
  readonly maxVcpus?: number;
  readonly maxMemoryBytes?: number;
  readonly instructionsPerSecond?: number | null;
  readonly cpuProfiles?: readonly string[];
  readonly saveState?: boolean;
  readonly msi?: boolean;
}

export class FakeBackend implements Backend {
  /** Every VM made, newest last. */
  readonly vms: FakeVm[] = [];

  constructor(
    readonly name = "fake",
    readonly options: FakeOptions = {},
  ) {}

  async probe(): Promise<BackendReport> {
    return {
      name: this.name,
      available: this.options.available ?? true,
      reason: this.options.reason ?? "a fake always works",
      capabilities: {
        maxVcpus: this.options.maxVcpus ?? 4,
        maxMemoryBytes: this.options.maxMemoryBytes ?? 2 ** 34,
        cpuProfiles: this.options.cpuProfiles ?? ["fake-v1", "fake-v2"],
        saveState: this.options.saveState ?? true,
        dirtyLog: false,
        debug: false,
        doorbells: true,
        msi: this.options.msi ?? true,
        memorySharing: false,
      },
      calibratedInstructionsPerSecond: this.options.instructionsPerSecond ?? null,
    };
  }

  /**
   * @throws TypeError, RangeError, RingzeroError as `checkVmConfig`
   * @throws RingzeroError `VM_UNSUPPORTED` for an engine option other than `script`
   */
  async createVm(config: VmConfig, handler: ExitHandler): Promise<FakeVm> {
    checkVmConfig(config, { backend: this.name, capabilities: (await this.probe()).capabilities });
    for (const name of Object.keys(config.options ?? {})) {
      if (name !== "script")
        throw new RingzeroError("VM_UNSUPPORTED", `backend ${this.name} has no engine option ${name}; it has script`);
    }
    const vm = new FakeVm(config, handler);
    this.vms.push(vm);
    return vm;
  }
}

export class FakeVm implements Vm {
  readonly memory: ArrayMemory;
  readonly vcpus: readonly FakeVcpu[];
  readonly uarts: readonly FakeUart[];
  /** Interrupts that devices drove, in order. */
  readonly lines: { readonly gsi: number; readonly asserted: boolean }[] = [];
  readonly messages: { readonly at: number; readonly data: number }[] = [];
  readonly interrupts = {
    setLine: (gsi: number, asserted: boolean) => void this.lines.push({ gsi, asserted }),
    msi: (at: number, data: number) => void this.messages.push({ at, data }),
  };
  /** Operations asked of this VM, in order, for tests of ordering. */
  readonly calls: string[] = [];
  running = false;
  disposed = false;
  /** Why `loadState` refuses every state; null: it does not. */
  refuseState: string | null = null;
  readonly #script: readonly FakeStep[];
  readonly #listeners: Listeners = { crashed: [], "uart-output": [] };
  readonly #doorbells = new Set<DoorbellEntry>();
  #next = 0;
  #busy = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(
    readonly config: VmConfig,
    readonly handler: ExitHandler,
  ) {
    this.memory = new ArrayMemory(config.memory);
    this.vcpus = Array.from({ length: config.vcpus }, (_, index) => new FakeVcpu(index, this));
    this.uarts = config.uarts.map(() => new FakeUart());
    const script = config.options?.["script"];
    this.#script = typeof script === "string" ? (JSON.parse(script) as FakeStep[]) : [];
  }

  on<K extends keyof VmEvents>(event: K, listener: (event: VmEvents[K]) => void): void {
    this.#listeners[event].push(listener);
  }

  run(): void {
    this.calls.push("run");
    this.#requireOpen();
    if (this.running) return;
    this.running = true;
    this.#schedule(0);
  }

  async pause(): Promise<void> {
    this.#requireOpen();
    await this.#stop();
  }

  async #stop(): Promise<void> {
    this.calls.push("pause");
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.running = false;
    while (this.#busy) await new Promise((later) => setImmediate(later));
  }

  async reset(): Promise<void> {
    this.calls.push("reset");
    this.#requireOpen();
    this.#requirePaused("reset");
    this.#next = 0;
  }

  doorbell(match: DoorbellMatch, ring: () => void): Doorbell {
    const entry = { match, ring };
    this.#doorbells.add(entry);
    return { dispose: () => void this.#doorbells.delete(entry) };
  }

  /** Where the script is, and the registers; in a form of the fake's own. */
  async saveState(): Promise<MachineStateBytes> {
    this.calls.push("saveState");
    this.#requirePaused("save the state of");
    const vcpus = this.vcpus.map(({ registers }) => registers);
    const state = { fake: 1, next: this.#next, vcpus };
    return new TextEncoder().encode(JSON.stringify(state, (_, value) => (typeof value === "bigint" ? `${value}n` : value)));
  }

  async loadState(state: MachineStateBytes): Promise<void> {
    this.calls.push("loadState");
    this.#requirePaused("load a state into");
    if (this.refuseState !== null) throw new RingzeroError("VM_UNSUPPORTED", this.refuseState);
    const { fake, next, vcpus } = parsedState(state);
    if (fake !== 1 || vcpus?.length !== this.vcpus.length)
      throw new RingzeroError("VM_UNSUPPORTED", "this is no state of a fake machine of this shape");
    this.#next = next;
    for (const [i, vcpu] of this.vcpus.entries()) vcpu.registers = vcpus[i]!;
  }

  shareMemory(): number {
    throw new RingzeroError("VM_UNSUPPORTED", "the fake backend has no memory to share");
  }

  async trackDirty(): Promise<void> {
    throw new RingzeroError("VM_UNSUPPORTED", "the fake backend has no log of written pages");
  }

  async takeDirty(): Promise<never> {
    throw new RingzeroError("VM_UNSUPPORTED", "the fake backend has no log of written pages");
  }

  async dispose(): Promise<void> {
    if (this.disposed) return;
    await this.#stop();
    this.calls.push("dispose");
    this.disposed = true;
  }

  /** Make the engine die, as from a killed process. */
  crash(reason: string): void {
    this.running = false;
    this.disposed = true;
    if (this.#timer) clearTimeout(this.#timer);
    for (const listener of this.#listeners.crashed)
      listener({ reason, signal: "SIGSEGV", exitCode: null, flightRecorder: `fake step ${this.#next}` });
  }

  #requireOpen(): void {
    if (this.disposed) throw new RingzeroError("VM_NOT_OPEN", "the fake VM is disposed of");
  }

  #requirePaused(what: string): void {
    this.#requireOpen();
    if (this.running) throw new RingzeroError("VM_VCPU_BUSY", `cannot ${what} a VM that runs; pause it first`);
  }

  #schedule(delayMs: number): void {
    this.#timer = setTimeout(() => this.#step(), delayMs);
  }

  #step(): void {
    const step = this.#script[this.#next];
    if (!this.running || !step) return; // the end of the script is a guest that spins
    this.#busy = true;
    let delayMs: number | null = 0;
    try {
      delayMs = this.#perform(step);
    } finally {
      this.#busy = false;
    }
    if (this.running && delayMs !== null) this.#schedule(delayMs);
  }

  /** @returns delay before the next step, or null when the guest does nothing more */
  #perform(step: FakeStep): number | null {
    switch (step.do) {
      case "out": {
        this.#next += 1;
        const { port, value, size = 1 } = step;
        const bell = [...this.#doorbells].find(
          ({ match }) => "port" in match && match.port === port && match.size === size && (match.value ?? value) === value,
        );
        if (bell) setImmediate(bell.ring);
        else this.handler({ kind: "port-out", vcpu: 0, port, size, value });
        return 0;
      }
      case "in":
        return this.#check(
          `in 0x${step.port.toString(16)}`,
          step.expect,
          this.handler({ kind: "port-in", vcpu: 0, port: step.port, size: step.size ?? 1 }),
        );
      case "mmio-write":
        this.#next += 1;
        this.handler({ kind: "mmio-write", vcpu: 0, at: step.at, size: step.size ?? 4, value: BigInt(step.value) });
        return 0;
      case "mmio-read":
        return this.#check(
          `read 0x${step.at.toString(16)}`,
          step.expect,
          this.handler({ kind: "mmio-read", vcpu: 0, at: step.at, size: step.size ?? 4 }),
        );
      case "print":
        this.#next += 1;
        return this.#output(step.uart ?? 0, new TextEncoder().encode(step.text));
      case "flood":
        this.#next += 1;
        return this.#output(
          step.uart ?? 0,
          Uint8Array.from({ length: step.bytes }, (_, i) => i % 251),
        );
      case "echo-line": {
        const line = this.uarts[step.uart ?? 0]?.guestReadLine();
        if (!line) return TICK_MS;
        this.#next += 1;
        return this.#output(step.uart ?? 0, line);
      }
      case "sleep":
        this.#next += 1;
        return step.ms;
      case "block": {
        this.#next += 1;
        const end = Date.now() + step.ms;
        while (Date.now() < end);
        return 0;
      }
      case "spin":
        return null;
      case "expect-memory": {
        const found = [...this.memory.read(step.at, step.bytes.length)];
        return this.#check(`memory at 0x${step.at.toString(16)}`, step.bytes.join(), found.join());
      }
      case "triple-fault":
        this.#next += 1;
        this.handler({ kind: "shutdown", vcpu: 0, cause: "triple-fault" });
        return null;
      case "crash":
        this.crash(step.reason);
        return null;
      default: {
        const unknown: never = step;
        throw new TypeError(`unknown step ${JSON.stringify(unknown)}`);
      }
    }
  }

  #check(what: string, expected: number | string | undefined, found: number | bigint | string | void): number | null {
    this.#next += 1;
    if (expected === undefined || String(found) === String(expected)) return 0;
    this.crash(`${what} gave ${String(found)}, and ${expected} was expected`);
    return null;
  }

  /** As a guest that waits for the transmitter: what does not fit is written when there is room. */
  #output(port: number, bytes: Uint8Array): number | null {
    const uart = this.uarts[port];
    if (!uart) throw new RangeError(`the fake guest has no serial port ${port}`);
    const rest = bytes.subarray(uart.guestWrite(bytes));
    for (const listener of this.#listeners["uart-output"]) listener({ index: port });
    if (rest.length === 0) return 0;
    this.#timer = setTimeout(() => {
      if (!this.running) return;
      const delayMs = this.#output(port, rest);
      if (delayMs !== null) this.#schedule(delayMs);
    }, TICK_MS);
    return null;
  }
}

interface FakeState {
  readonly fake: number;
  readonly next: number;
  readonly vcpus: readonly Registers[] | undefined;
}

function parsedState(bytes: Uint8Array): Partial<FakeState> & { readonly next: number } {
  try {
    const big = (_: string, value: unknown) =>
      typeof value === "string" && /^-?\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value;
    return JSON.parse(new TextDecoder().decode(bytes), big) as FakeState;
  } catch {
    return { next: 0 }; // whatever it is, it is no state
  }
}

/** The fake as a plugin, also found by a worker through this package's name. */
export const fakeBackendPlugin = definePlugin({
  name: "fake",
  kind: "backend",
  api: { min: 1, max: 1 },
  summary: "No engine: a script of exits, for tests",
  module: new URL("./plugins.js", import.meta.url).href,
  create: () => new FakeBackend(),
});

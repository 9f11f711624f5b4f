// A machine as its embedder holds it: states, operations, events, consoles. It owns no VM; a MachineHost does, here or in a worker.
// What must stay true: operations go one at a time, a run has one exit, and every wrong moment is a STATE_CONFLICT before any effect.

import { type MachineEvents, type MachineExit, type MachineSpec, type MachineState, RingzeroError } from "@ringzero/api";
import type { HostEvent, MachineHost, MoveOrder } from "../host/machine-plan.js";
import { EventEmitter } from "./event-emitter.js";
import { SerialConsole } from "./serial-console.js";

export interface StartOptions {
  /** End the run with `{ reason: "timeout" }` after so many milliseconds; pauses count. */
  readonly timeoutMs?: number;
}

export interface MoveOptions {
  /** Engine options of the backend that it moves to. Default: those of the specification on the backend that it was made for, else none. */
  readonly engine?: Readonly<Record<string, string | number | boolean>>;
  /**
   * How long each thing may take that the other backend, the engine or a device must answer, milliseconds. After that the machine goes on
   * where it was. Default: 30 s.
   */
  readonly timeoutMs?: number;
}

/** What a Machine is made of. */
export interface MachineParts {
  readonly spec: MachineSpec;
  readonly name: string;
  readonly backend: string;
  readonly why: string;
  readonly hosting: "worker" | "inline";
  readonly serialPorts: number;
  /** @throws RingzeroError when the machine, now on the backend `from`, cannot be on the backend `to` */
  readonly planMove: (from: string, to: string, options: MoveOptions) => Promise<MoveOrder>;
  readonly open: (emit: (event: HostEvent) => void) => Promise<MachineHost>;
}

export class Machine implements AsyncDisposable {
  readonly name: string;
  readonly spec: MachineSpec;
  /** Where its devices are hosted. */
  readonly hosting: "worker" | "inline";

  readonly #events = new EventEmitter<MachineEvents>();
  readonly #consoles: SerialConsole[] = [];
  readonly #planMove: MachineParts["planMove"];
  #host!: MachineHost;
  #backend: string;
  #why: string;
  #state: MachineState = "created";
  #tail: Promise<unknown> = Promise.resolve();
  #exit: Promise<MachineExit>;
  #settleExit!: (exit: MachineExit) => void;
  #exited = false;
  #timeout: NodeJS.Timeout | null = null;
  #disposed: Promise<void> | null = null;

  /** @internal made by Ringzero.create */
  static async open(parts: MachineParts): Promise<Machine> {
    const machine = new Machine(parts);
    machine.#host = await parts.open((event) => machine.#receive(event));
    return machine;
  }

  private constructor(parts: MachineParts) {
    this.name = parts.name;
    this.spec = parts.spec;
    this.#backend = parts.backend;
    this.#why = parts.why;
    this.#planMove = parts.planMove;
    this.hosting = parts.hosting;
    this.#exit = new Promise((settle) => (this.#settleExit = settle));
    for (let port = 0; port < parts.serialPorts; port += 1) {
      this.#consoles.push(
        new SerialConsole({
          name: this.name,
          write: (bytes) => this.#type(port, bytes),
          grant: (bytes) => {
            if (bytes > 0 && this.#state !== "disposed" && this.#state !== "crashed") this.#host?.grantConsole(port, bytes);
          },
        }),
      );
    }
  }

  /** Name of the backend that runs it. */
  get backend(): string {
    return this.#backend;
  }

  /** Why that backend. */
  get why(): string {
    return this.#why;
  }

  get state(): MachineState {
    return this.#state;
  }

  /** How the present run ended, or will; of the first run, before it is started. */
  get exited(): Promise<MachineExit> {
    return this.#exit;
  }

  /** @returns a function that removes the listener */
  on<K extends keyof MachineEvents>(event: K, listener: (event: MachineEvents[K]) => void): () => void {
    return this.#events.on(event, listener);
  }

  off<K extends keyof MachineEvents>(event: K, listener: (event: MachineEvents[K]) => void): void {
    this.#events.off(event, listener);
  }

  /** The console on serial port `port`, 0 being COM1. The same object each time. @throws RangeError without such a port */
  console(port = 0): SerialConsole {
    const found = this.#consoles[port];
    if (!found) throw new RangeError(`the machine ${this.name} has ${this.#consoles.length} serial ports, none of them ${port}`);
    return found;
  }

  /**
   * Boot. Resolves when the guest runs. Only in `created` and `stopped`; a stopped machine is reset and boots afresh.
   * @throws RingzeroError `STATE_CONFLICT`
   * @throws RingzeroError `VM_HOST_FAILURE`, `VM_CRASHED`
   */
  async start(options: StartOptions = {}): Promise<void> {
    this.#require("start", "created", "stopped");
    if (this.#exited) {
      this.#exited = false;
      this.#exit = new Promise((settle) => (this.#settleExit = settle));
    }
    this.#enter("starting");
    for (const one of this.#consoles) one.open();
    await this.#serial(async () => {
      try {
        await this.#host.start();
      } catch (error) {
        if (this.#is("starting")) {
          const message = error instanceof Error ? error.message : String(error);
          this.#finish("crashed", { reason: "crashed", message, flightRecorder: "" });
        }
        throw error;
      }
      if (this.#is("starting")) this.#enter("running");
      if (options.timeoutMs !== undefined && this.#is("running")) this.#armTimeout(options.timeoutMs);
    });
  }

  /** Hold the guest between two instructions. Nothing happens when it is paused. @throws RingzeroError `STATE_CONFLICT` unless it runs */
  pause(): Promise<void> {
    return this.#serial(async () => {
      if (this.#is("paused")) return;
      this.#require("pause", "running");
      await this.#host.pause();
      if (this.#is("running")) this.#enter("paused");
    });
  }

  /** Go on after `pause`. Nothing happens when it runs. @throws RingzeroError `STATE_CONFLICT` unless it is paused */
  resume(): Promise<void> {
    return this.#serial(async () => {
      if (this.#is("running")) return;
      this.#require("resume", "paused");
      await this.#host.resume();
      if (this.#is("paused")) this.#enter("running");
    });
  }

  /** As the reset button: processors and devices to power-on state, the boot image loaded again. @throws RingzeroError `STATE_CONFLICT` */
  reset(): Promise<void> {
    return this.#serial(async () => {
      this.#require("reset", "running", "paused");
      await this.#host.reset();
      this.#events.emit("reset", { cause: "embedder" });
    });
  }

  /**
   * Go on, at the next instruction, on another backend or on a fresh engine of the same one. Memory, processors, interrupt controllers,
   * timers, console bytes under way and devices come along; the guest's time stands still for the milliseconds of the move. A machine that is paused
   * stays paused. When the other backend cannot have the machine, it goes on where it was.
   * @param backend  its name
   * @returns for how long the guest stood still
   * @throws RingzeroError `BACKEND_UNKNOWN`, `BACKEND_UNAVAILABLE` before the machine stops
   * @throws RingzeroError `VM_UNSUPPORTED` before the machine stops when the backend claims too little for it, or the state cannot be saved;
   *   else when the backend refuses the state
   * @throws RingzeroError `VM_HOST_FAILURE`, `VM_PLUGIN_FAILED` when the other backend fails
   * @throws RingzeroError `MOVE_TIMEOUT` when something does not answer
   * @throws RingzeroError `STATE_CONFLICT` unless the machine runs or is paused
   */
  moveTo(backend: string, options: MoveOptions = {}): Promise<{ readonly pausedMs: number }> {
    return this.#serial(async () => {
      this.#require("move", "running", "paused");
      const order = await this.#planMove(this.#backend, backend, options);
      const { pausedMs } = await this.#host.moveTo(order);
      const from = this.#backend;
      this.#backend = backend;
      this.#why = `moved here from ${from}`;
      this.#events.emit("moved", { from, to: backend, pausedMs });
      return { pausedMs };
    });
  }

  /**
   * Have a device do one of its commands, such as `command("acpi-pm", "press-power-button")`.
   * @param device    its id; those of the platform are named as their plugins
   * @param argument  plain data, as the device says
   * @returns plain data, as the device says
   * @throws RangeError when there is no such device or command
   * @throws TypeError for an argument that the command does not take
   * @throws RingzeroError `STATE_CONFLICT` unless the machine runs or is paused
   */
  command(device: string, name: string, argument?: unknown): Promise<unknown> {
    return this.#serial(async () => {
      this.#require(`command ${device} of`, "running", "paused");
      return this.#host.command(device, name, argument);
    });
  }

  /**
   * How often the engine did things, by name, since the machine was created: translations, reasons to leave translated code, TLB
   * misses, exits … The names are the backend's own and may change with any version.
   * @throws RingzeroError `STATE_CONFLICT` after a crash, `VM_UNSUPPORTED` when the backend counts nothing
   */
  counters(): Promise<Readonly<Record<string, number>>> {
    return this.#serial(async () => {
      this.#require("read the counters of", "created", "running", "paused", "stopped");
      return this.#host.counters();
    });
  }

  /**
   * For whoever works on an engine: what the backend made of the guest instruction at `rip`, as text: guest instructions, and below
   * each its host code. A machine that runs is paused meanwhile.
   * @throws RingzeroError `STATE_CONFLICT` after a crash, `VM_UNSUPPORTED` when the backend translates nothing
   */
  listing(rip: bigint): Promise<string> {
    return this.#serial(async () => {
      this.#require("list code of", "created", "running", "paused", "stopped");
      const running = this.#is("running");
      if (running) await this.#host.pause();
      try {
        return await this.#host.listing(rip);
      } finally {
        if (running && this.#is("running")) await this.#host.resume();
      }
    });
  }

  /**
   * Pull the plug: the guest is not asked. Resolves when nothing of it runs. Nothing happens when it does not run.
   * @throws RingzeroError `VM_NOT_OPEN` after dispose
   */
  stop(): Promise<void> {
    return this.#stop({ reason: "stopped" });
  }

  /** Stop and free everything, in any state; idempotent. */
  dispose(): Promise<void> {
    this.#disposed ??= this.#serial(async () => {
      if (this.#is("running", "paused", "starting")) {
        await this.#host.stop().catch(() => {}); // a host that is gone has stopped
        if (!this.#exited) this.#finish("stopped", { reason: "stopped" });
      }
      this.#enter("disposed");
      for (const one of this.#consoles) one.close();
      await this.#host.dispose();
    });
    return this.#disposed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #stop(exit: MachineExit): Promise<void> {
    return this.#serial(async () => {
      if (this.#is("created", "stopped", "crashed")) return;
      if (this.#is("disposed"))
        throw new RingzeroError("VM_NOT_OPEN", `the machine ${this.name} is disposed of; it cannot be stopped again`);
      this.#enter("stopping");
      await this.#host.stop();
      if (!this.#exited) this.#finish("stopped", exit);
    });
  }

  #type(port: number, bytes: Uint8Array): Promise<void> {
    if (!this.#is("running", "paused", "starting")) {
      return Promise.reject(
        new RingzeroError("VM_NOT_OPEN", `the machine ${this.name} is ${this.#state}; start it before writing to its console`),
      );
    }
    return this.#host.writeConsole(port, bytes);
  }

  #receive(event: HostEvent): void {
    switch (event.kind) {
      case "console":
        this.#consoles[event.port]?.push(event.bytes);
        this.#events.emit("console", { port: event.port, bytes: event.bytes });
        return;
      case "reset":
        this.#events.emit("reset", { cause: "guest" });
        return;
      case "crashed":
        this.#events.emit("crashed", event.crash);
        return;
      case "device-error":
        this.#events.emit("device-error", event.failure);
        return;
      case "log":
        this.#events.emit("log", event.record);
        return;
      case "exit": {
        if (this.#exited || this.#is("disposed")) return;
        const dead = event.exit.reason === "crashed" || event.exit.reason === "device-error";
        this.#finish(dead ? "crashed" : "stopped", event.exit);
        return;
      }
      default: {
        const unknown: never = event;
        throw new Error(`unknown host event ${JSON.stringify(unknown)}`);
      }
    }
  }

  #finish(state: "stopped" | "crashed", exit: MachineExit): void {
    this.#exited = true;
    if (this.#timeout) clearTimeout(this.#timeout);
    this.#timeout = null;
    for (const one of this.#consoles) one.close();
    this.#enter(state);
    this.#events.emit("exit", exit);
    this.#settleExit(exit);
  }

  #armTimeout(timeoutMs: number): void {
    this.#timeout = setTimeout(() => {
      this.#stop({ reason: "timeout", afterMs: timeoutMs }).catch(() => {}); // it ended meanwhile
    }, timeoutMs);
  }

  #is(...states: MachineState[]): boolean {
    return states.includes(this.#state);
  }

  #enter(state: MachineState): void {
    const previous = this.#state;
    if (previous === state) return;
    this.#state = state;
    this.#events.emit("state", { state, previous });
  }

  #require(what: string, ...states: MachineState[]): void {
    if (this.#is("disposed"))
      throw new RingzeroError("VM_NOT_OPEN", `cannot ${what} the machine ${this.name}: it is disposed of; create it anew`);
    if (!this.#is(...states)) {
      throw new RingzeroError(
        "STATE_CONFLICT",
        `cannot ${what} the machine ${this.name}: it is ${this.#state}, and must be ${states.join(" or ")}`,
      );
    }
  }

  #serial<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => {});
    return result;
  }
}

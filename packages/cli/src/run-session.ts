// One run of one machine: from create to the exit status. Everything that may end it early (keys, signals, time, a closed
// pipe) comes through `stop`, and the first cause counts.
// What must stay true: the terminal is put back before the last words are said, and the machine is gone before they are.

import { type MachineExit, RingzeroError } from "@ringzero/api";
import type { Machine, Ringzero } from "@ringzero/core";
import type { GuestConsole } from "./console/guest-console.js";
import type { Diagnostics } from "./diagnostics.js";
import type { EventsFile } from "./events-file.js";
import { describeExit, EXIT_CODES, exitCodeOf, type StopCause } from "./exit-codes.js";
import type { RunRequest } from "./grammar/machine-request.js";
import type { CliHost } from "./host.js";

const CONSOLE_PORT = 0;

export interface SessionParts {
  readonly host: CliHost;
  readonly diagnostics: Diagnostics;
  readonly events: EventsFile | null;
  readonly console: GuestConsole;
}

export class RunSession {
  #machine: Machine | null = null;
  #stopCause: StopCause | null = null;
  #stopped = false;
  #moving = false;
  #consoleBytesOut = 0;
  #consoleBytesIn = 0;
  #firstOutputMs: number | null = null;
  #resets = 0;

  constructor(
    readonly rz: Ringzero,
    readonly request: RunRequest,
    readonly parts: SessionParts,
  ) {}

  /** Ask for an orderly end. The first cause is the one that is reported. */
  stop(cause: StopCause): void {
    this.#stopCause ??= cause;
    const machine = this.#machine;
    if (machine === null || machine.state === "created" || this.#stopped) return; // `run` looks at the cause before and after it starts
    this.#stopped = true;
    machine.stop().catch((error: unknown) => this.parts.diagnostics.failure(error));
  }

  /**
   * @returns the exit status
   * @throws RingzeroError what `create` and `start` throw; nothing runs then
   */
  async run(): Promise<number> {
    const { host, diagnostics, console } = this.parts;
    const startedMs = Date.now();
    let signals = 0;
    const unlisten = host.onSignal((signal) => {
      signals += 1;
      if (signals > 1) {
        console.close();
        host.exitNow(exitCodeOf({ reason: "stopped" }, signal));
      }
      this.stop(signal);
    });
    let machine: Machine | null = null;
    try {
      machine = await this.rz.create(this.request.spec, { backend: this.request.backend });
      this.#machine = machine;
      this.#listen(machine);
      let output: Promise<void> = Promise.resolve();
      let exit: MachineExit = { reason: "stopped" };
      if (this.#stopCause === null) {
        output = this.#showOutput(machine);
        const { timeoutMs } = this.request;
        await machine.start(timeoutMs === null ? {} : { timeoutMs });
        console.connect({ write: (bytes) => this.#type(machine!, bytes) });
        diagnostics.rawTerminal = console.raw;
        if (this.#stopCause !== null) this.stop(this.#stopCause); // came while it was starting
        exit = await machine.exited;
      }
      await output;
      return await this.#end(machine, exit, startedMs);
    } finally {
      console.close();
      diagnostics.rawTerminal = false;
      await machine?.[Symbol.asyncDispose]();
      unlisten();
    }
  }

  /** Put the running machine onto the next of the engines that work here. What comes of it is said; the guest goes on in any case. */
  async move(): Promise<void> {
    const machine = this.#machine;
    if (machine === null || this.#moving || this.#stopped) return;
    this.#moving = true;
    const { diagnostics } = this.parts;
    try {
      const names = (await this.rz.backends()).filter(({ available }) => available).map(({ name }) => name);
      const from = machine.backend;
      const at = names.indexOf(from) + 1;
      const { to, pausedMs } = await firstMove(machine, [...names.slice(at), ...names.slice(0, at)]);
      const fresh = to === from ? "a fresh engine of " : "";
      diagnostics.say(`moved from ${from} to ${fresh}${to}; the guest stood still for ${pausedMs.toFixed(1)} ms`);
    } catch (error) {
      diagnostics.warn(`not moved: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      this.#moving = false;
    }
  }

  async #type(machine: Machine, bytes: Uint8Array): Promise<void> {
    this.#consoleBytesIn += bytes.length;
    await machine.console(CONSOLE_PORT).write(bytes);
  }

  #listen(machine: Machine): void {
    const { diagnostics, events } = this.parts;
    machine.on("state", (event) => events?.write("state", event));
    machine.on("reset", (event) => {
      this.#resets += 1;
      events?.write("reset", event);
    });
    machine.on("moved", (event) => events?.write("moved", event));
    machine.on("crashed", (event) => events?.write("crashed", event));
    machine.on("device-error", (event) => events?.write("device-error", event));
    machine.on("log", ({ at, ...record }) => {
      events?.write("log", record, at);
      if (record.level === "warn" || record.level === "error")
        diagnostics.warn(`${record.source}: ${record.message}${fieldsText(record.fields)}`);
    });
  }

  /** Until the machine stops. A slow reader of ours slows the guest, as reading the console as an iterable does. */
  async #showOutput(machine: Machine): Promise<void> {
    if (this.request.console.kind === "none" || machine.spec.serial === 0) return;
    const beganMs = Date.now();
    for await (const bytes of machine.console(CONSOLE_PORT)) {
      this.#firstOutputMs ??= Date.now() - beganMs;
      this.#consoleBytesOut += bytes.length;
      await this.parts.console.output(bytes);
    }
  }

  async #end(machine: Machine, exit: MachineExit, startedMs: number): Promise<number> {
    const { diagnostics, events, console } = this.parts;
    const engine = this.request.stats ? await this.#engineCounters(machine) : {};
    const listings = await this.#listings(machine);
    await machine[Symbol.asyncDispose]();
    console.close();
    diagnostics.rawTerminal = false;
    const status = exitCodeOf(exit, this.#stopCause);
    const stats = { ...this.#stats(startedMs), ...engine };
    events?.write("exit", {
      ...exit,
      exitStatus: status,
      ...(this.#stopCause === null ? {} : { stoppedBy: this.#stopCause }),
    });
    diagnostics.object({ exit, exitStatus: status, ...(this.request.stats ? { stats } : {}) });
    if (exit.reason === "crashed" && exit.flightRecorder !== "") diagnostics.say(`flight recorder:\n${exit.flightRecorder}`);
    if (status !== EXIT_CODES.poweredOff || this.request.stats) diagnostics.say(describeExit(exit, this.#stopCause));
    if (this.request.stats) for (const [name, value] of Object.entries(stats)) diagnostics.say(`stats: ${name} ${value}`);
    for (const listing of listings) diagnostics.say(listing);
    return status;
  }

  /** Named `engine.NAME`; empty where the engine counts nothing, or is gone. */
  async #engineCounters(machine: Machine): Promise<Record<string, number>> {
    if (machine.state === "crashed") return {};
    try {
      const counters = await machine.counters();
      return Object.fromEntries(Object.entries(counters).map(([name, value]) => [`engine.${name}`, value]));
    } catch (error) {
      if (error instanceof RingzeroError && (error.code === "VM_UNSUPPORTED" || error.code === "VM_CRASHED")) return {};
      throw error;
    }
  }

  async #listings(machine: Machine): Promise<string[]> {
    const texts: string[] = [];
    for (const rip of this.request.listings) {
      try {
        texts.push(`code of 0x${rip.toString(16)}:\n${await machine.listing(rip)}`);
      } catch (error) {
        if (!(error instanceof RingzeroError)) throw error;
        texts.push(`code of 0x${rip.toString(16)}: ${error.message}`);
      }
    }
    return texts;
  }

  #stats(startedMs: number): Record<string, number> {
    const { user, system } = process.cpuUsage();
    return {
      wallMs: Date.now() - startedMs,
      firstOutputMs: this.#firstOutputMs ?? -1,
      consoleBytesOut: this.#consoleBytesOut,
      consoleBytesIn: this.#consoleBytesIn,
      resets: this.#resets,
      hostCpuMs: Math.round((user + system) / 1000),
    };
  }
}

/** Move to the first that can have the machine. @throws RingzeroError of the last, which is the one that it is on */
async function firstMove(machine: Machine, names: readonly string[]): Promise<{ to: string; pausedMs: number }> {
  for (const to of names) {
    try {
      return { to, ...(await machine.moveTo(to)) };
    } catch (error) {
      const refused = error instanceof RingzeroError && error.code === "VM_UNSUPPORTED";
      if (!refused || to === names.at(-1)) throw error;
    }
  }
  throw new RingzeroError("BACKEND_UNAVAILABLE", "no engine works on this host any more");
}

function fieldsText(fields: Readonly<Record<string, unknown>>): string {
  const entries = Object.entries(fields);
  return entries.length === 0 ? "" : ` (${entries.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(" ")})`;
}

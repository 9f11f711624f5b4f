// The embedder's end of a machine whose devices live in a worker. What must stay true: the main thread only sends and receives
// messages, and a worker that dies is a crash of its machine, never of the process.

import { RingzeroError } from "@ringzero/api";
import { Worker } from "node:worker_threads";
import type { HostEvent, MachineHost, MachineMoved, MachinePlan, MoveOrder, PluginLink } from "./machine-plan.js";
import { stirForWorker } from "./rest-when-idle.js";
import { type FromWorker, fromWire, type HostCall, NO_ANSWER, type Request } from "./wire.js";

/** How long a worker may take over an operation before it is given up for hung. */
export const ANSWER_TIMEOUT_MS = 15_000;

/** Operations whose length is not bounded: files are read, or the guest decides. */
const UNBOUNDED: ReadonlySet<HostCall> = new Set(["prepare", "build", "start", "writeConsole"]);
/** Things that a move waits for one after the other, each as long as its order says; what is over these is a worker that hangs. */
const STEPS_OF_A_MOVE = 8;

const MAX_TIMER_MS = 2 ** 31 - 1;

interface Pending {
  readonly timer: NodeJS.Timeout | null;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class WorkerHost implements MachineHost {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #running = false;
  #gone: Error | null = null;
  #disposing = false;
  #emit: (event: HostEvent) => void = () => {};
  #answerTimeoutMs = ANSWER_TIMEOUT_MS;

  /** Start the thread, so that it loads while other things are done. It holds nothing until `build`. */
  constructor() {
    stirForWorker();
    this.#worker = new Worker(new URL("./worker-main.js", import.meta.url), { name: "ringzero devices", execArgv: [] });
    this.#worker.on("message", (message: FromWorker) => this.#receive(message));
    this.#worker.on("error", (error) => this.#lost(`the device worker failed: ${error.message}`, error));
    this.#worker.on("exit", (code) => this.#lost(`the device worker ended with code ${code}`));
    this.#hold();
  }

  /** False when the thread has ended: it is of no use any more. */
  get alive(): boolean {
    return this.#gone === null;
  }

  /** Load plugins, and what they say they will need, before there is a machine. */
  prepare(links: readonly PluginLink[]): Promise<void> {
    return this.#ask("prepare", links);
  }

  /** Whose events these are from now on, and how long an operation may take. */
  attend(emit: (event: HostEvent) => void, answerTimeoutMs: number = ANSWER_TIMEOUT_MS): void {
    this.#emit = emit;
    this.#answerTimeoutMs = answerTimeoutMs;
  }

  /**
   * Make the machine there.
   * @throws what `composeMachine` throws, and RingzeroError `VM_CRASHED` when the worker dies instead
   */
  async build(plan: MachinePlan): Promise<this> {
    try {
      await this.#ask("build", plan);
      return this;
    } catch (error) {
      await this.discard();
      throw error;
    }
  }

  /** End the thread of a machine that is not to be. */
  async discard(): Promise<void> {
    this.#disposing = true;
    await this.#worker.terminate();
  }

  async start(): Promise<void> {
    this.#running = true;
    await this.#ask("start");
  }
  pause(): Promise<void> {
    return this.#ask("pause");
  }
  resume(): Promise<void> {
    return this.#ask("resume");
  }
  reset(): Promise<void> {
    return this.#ask("reset");
  }
  async stop(): Promise<void> {
    await this.#ask("stop");
    this.#running = false;
    this.#hold();
  }
  writeConsole(port: number, bytes: Uint8Array): Promise<void> {
    return this.#ask("writeConsole", port, bytes);
  }
  command(device: string, name: string, argument: unknown): Promise<unknown> {
    return this.#ask("command", device, name, argument);
  }
  moveTo(order: MoveOrder): Promise<MachineMoved> {
    // Memory that is copied takes as long as it takes.
    const limitMs = order.shareMemory ? STEPS_OF_A_MOVE * order.timeoutMs + this.#answerTimeoutMs : null;
    return this.#askWithin(limitMs, "moveTo", order);
  }
  counters(): Promise<Readonly<Record<string, number>>> {
    return this.#ask("counters");
  }
  listing(rip: bigint): Promise<string> {
    return this.#ask("listing", rip);
  }
  grantConsole(port: number, bytes: number): void {
    if (!this.#gone) this.#worker.postMessage({ id: NO_ANSWER, call: "grantConsole", args: [port, bytes] } satisfies Request);
  }

  async dispose(): Promise<void> {
    if (this.#disposing) return;
    this.#disposing = true;
    try {
      if (!this.#gone) await this.#ask("dispose");
    } finally {
      await this.#worker.terminate();
    }
  }

  #ask<T = void>(call: HostCall, ...args: unknown[]): Promise<T> {
    return this.#askWithin(UNBOUNDED.has(call) ? null : this.#answerTimeoutMs, call, ...args);
  }

  /** @param limitMs  null: however long it takes */
  #askWithin<T>(limitMs: number | null, call: HostCall, ...args: unknown[]): Promise<T> {
    if (this.#gone) return Promise.reject(this.#gone);
    return new Promise<unknown>((resolve, reject) => {
      const id = this.#nextId++;
      const timer = limitMs === null ? null : setTimeout(() => this.#giveUp(call, limitMs), Math.min(limitMs, MAX_TIMER_MS));
      this.#pending.set(id, { resolve, reject, timer });
      this.#hold();
      this.#worker.postMessage({ id, call, args } satisfies Request);
    }) as Promise<T>;
  }

  #receive(message: FromWorker): void {
    if ("event" in message) {
      if (message.event.kind === "exit") this.#running = false;
      this.#emit(message.event);
    } else {
      const pending = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      if (pending?.timer) clearTimeout(pending.timer);
      if (message.error) pending?.reject(fromWire(message.error));
      else pending?.resolve(message.value);
    }
    this.#hold();
  }

  /** A machine that runs, or owes an answer, or is ended and somebody waits for that, keeps the process alive; one that is only there does not. */
  #hold(): void {
    if (this.#running || this.#pending.size > 0 || this.#disposing) this.#worker.ref();
    else this.#worker.unref();
  }

  /** A device holds the worker's thread and does not let go. */
  #giveUp(call: HostCall, limitMs: number): void {
    this.#lost(`the device worker did not answer ${call} within ${limitMs} ms`);
    void this.#worker.terminate();
  }

  #lost(reason: string, cause?: unknown): void {
    if (this.#gone) return;
    this.#gone = new RingzeroError("VM_CRASHED", `${reason}; make the machine anew`, { cause });
    for (const { reject, resolve, timer } of this.#pending.values()) {
      if (timer) clearTimeout(timer);
      if (this.#disposing) resolve(undefined);
      else reject(this.#gone);
    }
    this.#pending.clear();
    if (this.#disposing) return;
    const stack = cause instanceof Error ? (cause.stack ?? "") : "";
    this.#emit({ kind: "crashed", crash: { reason, signal: null, exitCode: null, flightRecorder: stack } });
    this.#emit({ kind: "exit", exit: { reason: "crashed", message: reason, flightRecorder: stack } });
  }
}

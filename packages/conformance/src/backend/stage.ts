// Where one case plays: makes VMs of the backend under test, places programs, notes exits, waits for things with a limit, and disposes of all.

import type { Backend, BackendReport, ExitHandler, Vm, VmConfig, VmExit } from "@ringzero/api";
import { CODE_AT, DONE_PORT, type GuestProgram, programBytes } from "./program.js";
import { MEMORY, startRegisters, writeTables } from "./start-state.js";
import { PATIENCE_MS, waitUntil } from "../waiting.js";

/** A VM of the stage, and what it did. */
export interface Actor {
  readonly vm: Vm;
  /** All exits so far, but for writes to the port of `done`. */
  readonly exits: VmExit[];
  /** vCPUs that ended their program. */
  readonly done: Set<number>;
}

export class Stage {
  readonly #actors: Actor[] = [];
  #failure: Error | null = null;

  constructor(
    readonly backend: Backend,
    readonly report: BackendReport,
    /** How long one thing may take. */
    readonly patienceMs = PATIENCE_MS,
  ) {}

  /** A configuration that every backend takes. */
  config(more: Partial<VmConfig> = {}): VmConfig {
    const [cpuProfile] = this.report.capabilities.cpuProfiles;
    if (cpuProfile === undefined) throw new Error("the backend claims no CPU profile, so that no machine can be made");
    return { name: "conformance", vcpus: 1, memory: MEMORY, cpuProfile, uarts: [], ...more };
  }

  /** A VM that is paused, at power-on. @param answer  called for each exit once it is noted */
  async open(more: Partial<VmConfig> = {}, answer: ExitHandler = () => undefined): Promise<Actor> {
    const exits: VmExit[] = [];
    const done = new Set<number>();
    const vm = await this.backend.createVm(this.config(more), (exit) => {
      if (exit.kind === "port-out" && exit.port === DONE_PORT) {
        done.add(exit.vcpu);
        return;
      }
      exits.push(exit);
      return answer(exit);
    });
    vm.on("crashed", ({ reason, flightRecorder }) => {
      this.#failure ??= new Error(`the engine crashed: ${reason}\n${flightRecorder}`);
    });
    const actor = { vm, exits, done };
    this.#actors.push(actor);
    return actor;
  }

  /** A VM with a program at its first instruction, paused. */
  async load(guest: GuestProgram, more: Partial<VmConfig> = {}, answer?: ExitHandler): Promise<Actor> {
    const actor = await this.open(more, answer);
    await place(actor.vm, guest);
    return actor;
  }

  /** Wait until the program of vCPU `vcpu` ends, and pause. */
  async finish(actor: Actor, vcpu = 0): Promise<void> {
    const broken = (): boolean => actor.exits.at(-1)?.kind === "shutdown"; // its UD2 without a handler: what it checked is wrong
    await this.until(() => actor.done.has(vcpu) || broken(), `the guest program ended`, actor);
    if (!actor.done.has(vcpu)) throw new Error(`the guest shut down instead of ending its program${seen(actor)}`);
    await actor.vm.pause();
  }

  /** @throws Error when `check` is not true in time, or an engine crashed meanwhile */
  async until(check: () => boolean, what: string, actor?: Actor): Promise<void> {
    const checked = (): boolean => {
      if (this.#failure) throw this.#failure;
      return check();
    };
    await waitUntil(checked, () => `${what}${actor ? seen(actor) : ""}`, this.patienceMs);
  }

  async close(): Promise<void> {
    for (const { vm } of this.#actors) await vm.dispose();
    if (this.#failure) throw this.#failure;
  }
}

/** Write a program and the tables of its mode into guest memory, and point vCPU 0 at it. Only while paused. */
export async function place(vm: Vm, guest: GuestProgram): Promise<void> {
  if (guest.mode !== 16) writeTables(vm);
  vm.memory.write(CODE_AT, programBytes(guest));
  await vm.vcpus[0]!.setRegisters(startRegisters(guest.mode));
}

function seen({ exits }: Actor): string {
  const last = exits
    .slice(-5)
    .map((exit) => JSON.stringify(exit, (_, value) => (typeof value === "bigint" ? `${value}n` : value)));
  return `; exits until then: ${exits.length}${last.length > 0 ? `, the last: ${last.join(" ")}` : ""}`;
}

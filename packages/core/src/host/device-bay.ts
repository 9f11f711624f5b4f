// Attaches the devices of one machine, in order, and owns what they claim. What must stay true: a device that fails to attach leaves
// nothing behind, and devices go last first, each with its claims.

import {
  type AttachedDevice,
  type Claim,
  type Clock,
  type DevicePlugin,
  type Logger,
  type LogLevel,
  type MachineContext,
  RingzeroError,
  type Vm,
} from "@ringzero/api";
import type { InterruptLines } from "../bus/interrupt-lines.js";
import type { MmioSpace } from "../bus/mmio-bus.js";
import type { PortSpace } from "../bus/port-bus.js";
import { Teardown } from "../teardown.js";
import type { HostEvent, MachinePlan, PlannedDevice } from "./machine-plan.js";
import type { RunControl } from "./run-control.js";

/** The machine's parts that a device reaches through its context. */
export interface BayParts {
  readonly plan: MachinePlan;
  readonly vm: Vm;
  readonly ports: PortSpace;
  readonly mmio: MmioSpace;
  readonly lines: InterruptLines;
  readonly clock: Clock;
  readonly run: RunControl;
  readonly emit: (event: HostEvent) => void;
}

export class DeviceBay {
  readonly #attached: { readonly id: string; readonly device: AttachedDevice }[] = [];
  readonly #teardown = new Teardown();
  readonly #gone = new AbortController();

  constructor(readonly parts: BayParts) {
    this.#teardown.defer(() => this.#gone.abort());
  }

  /**
   * @throws RingzeroError of the device itself, such as `BUS_OVERLAP` or `DEVICE_OPTIONS`
   * @throws RingzeroError `VM_PLUGIN_FAILED` when it throws anything else
   */
  async attach(planned: PlannedDevice, plugin: DevicePlugin): Promise<void> {
    const claims = new Teardown();
    try {
      const device = await plugin.attach(this.#context(planned.id, claims), planned.options as never);
      this.#teardown.defer(() => claims.run());
      if (!device) return;
      this.#attached.push({ id: planned.id, device });
      this.#teardown.defer(() => device.dispose?.());
    } catch (error) {
      await claims.run();
      if (error instanceof RingzeroError) throw error;
      const said = error instanceof Error ? error.message : String(error);
      throw new RingzeroError("VM_PLUGIN_FAILED", `device ${planned.id} (plugin ${plugin.name}) failed to attach: ${said}`, {
        cause: error,
      });
    }
  }

  reset(): void {
    this.parts.lines.reset();
    for (const { id, device } of this.#attached) this.parts.run.guard(id, () => device.reset?.(), undefined);
  }

  async pause(): Promise<void> {
    for (const { id, device } of this.#attached) await this.#awaited(id, () => device.pause?.());
  }

  async resume(): Promise<void> {
    for (const { id, device } of this.#attached) await this.#awaited(id, () => device.resume?.());
  }

  /** @throws RangeError when there is no such device, or it has no such command @throws what the command throws */
  command(id: string, name: string, argument: unknown): unknown {
    const withCommands = this.#attached.filter(({ device }) => device.commands);
    const known = withCommands.flatMap((one) => Object.keys(one.device.commands ?? {}).map((command) => `${one.id} ${command}`));
    const commands = withCommands.find((one) => one.id === id)?.device.commands;
    if (!commands || !Object.hasOwn(commands, name)) {
      throw new RangeError(`no device ${id} with a command ${name}; there are: ${known.join(", ") || "none"}`);
    }
    return commands[name]?.(argument);
  }

  dispose(): Promise<void> {
    this.#attached.length = 0;
    return this.#teardown.run();
  }

  async #awaited(id: string, call: () => void | Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.parts.run.fail(id, error);
    }
  }

  #context(id: string, claims: Teardown): MachineContext {
    const { plan, vm, ports, mmio, lines, clock, run } = this.parts;
    const kept = <T extends Claim>(claim: T): T => {
      claims.defer(() => claim.release());
      return claim;
    };
    return {
      machine: { name: plan.name, cpus: plan.cpus, memoryBytes: plan.memoryBytes },
      id,
      ports: { claim: (range, handler) => kept(ports.claim(id, range, handler)) },
      mmio: { claim: (range, handler) => kept(mmio.claim(id, range, handler)) },
      interrupts: { line: (gsi) => kept(lines.line(gsi)), msi: (at, data) => vm.interrupts.msi(at, data) },
      memory: vm.memory,
      clock: {
        nowNs: () => clock.nowNs(),
        wallMs: () => clock.wallMs(),
        after: (delayMs, callback) => {
          // Not kept in `claims`: a device arms thousands; the signal releases those still armed.
          const timer = clock.after(delayMs, () => {
            this.#gone.signal.removeEventListener("abort", timer.release);
            run.guard(id, callback, undefined);
          });
          this.#gone.signal.addEventListener("abort", timer.release, { once: true });
          return {
            release: () => {
              this.#gone.signal.removeEventListener("abort", timer.release);
              timer.release();
            },
          };
        },
      },
      log: this.#logger(id),
      power: run.power,
      uarts: vm.uarts,
      signal: this.#gone.signal,
      doorbell: (match, ring) => {
        const bell = vm.doorbell(match, () => run.guard(id, ring, undefined));
        claims.defer(() => bell.dispose());
        return bell;
      },
    };
  }

  #logger(source: string): Logger {
    const at = (level: LogLevel) => (fields: Readonly<Record<string, unknown>>, message: string) =>
      this.parts.emit({ kind: "log", record: { level, source, message, fields, at: Date.now() } });
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  }
}

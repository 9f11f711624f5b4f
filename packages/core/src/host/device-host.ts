// A machine's VM and devices on the thread that this runs on: dispatches exits to the buses and answers Machine's operations.
// Put together by composition.ts. What must stay true: everything made is undone by `dispose`, devices before the VM.

import {
  type BootImage,
  type ExitHandler,
  type MemoryRange,
  pcRamLayout,
  RingzeroError,
  type Vm,
  type VmConfig,
  type VmInspection,
} from "@ringzero/api";
import type { MmioSpace } from "../bus/mmio-bus.js";
import type { PortSpace } from "../bus/port-bus.js";
import type { Teardown } from "../teardown.js";
import type { ConsolePump } from "./console-pump.js";
import type { DeviceBay } from "./device-bay.js";
import type { MachineMove } from "./machine-move.js";
import type { MachineHost, MachineMoved, MachinePlan, MoveOrder } from "./machine-plan.js";
import type { RunControl } from "./run-control.js";

/** RAM and ROM of a machine, sorted by address. */
export function memoryRanges(plan: MachinePlan, image: BootImage): MemoryRange[] {
  return [...pcRamLayout(plan.memoryBytes), ...image.rom].sort((a, b) => a.at - b.at);
}

export function vmConfig(plan: MachinePlan, memory: readonly MemoryRange[]): VmConfig {
  return {
    name: plan.name,
    vcpus: plan.cpus,
    memory,
    cpuProfile: plan.cpuProfile,
    uarts: plan.uarts,
    ...(Object.keys(plan.engine).length > 0 ? { options: plan.engine } : {}),
  };
}

/** Turns exits into bus accesses. Called by the VM for every exit, on this thread. */
export function exitDispatcher(ports: PortSpace, mmio: MmioSpace, run: RunControl): ExitHandler {
  return (exit) => {
    switch (exit.kind) {
      case "port-in":
        return ports.read(exit.port, exit.size);
      case "port-out":
        return ports.write(exit.port, exit.size, exit.value);
      case "mmio-read":
        return mmio.read(exit.at, exit.size);
      case "mmio-write":
        return mmio.write(exit.at, exit.size, exit.value);
      case "shutdown":
        return exit.cause === "triple-fault" ? run.tripleFault(exit.vcpu) : run.requestReset();
      case "debug":
        return undefined; // nobody sets breakpoints yet
      default: {
        const unknown: never = exit;
        return unknown;
      }
    }
  };
}

export class DeviceHost implements MachineHost {
  constructor(
    readonly run: RunControl,
    readonly console: ConsolePump,
    readonly teardown: Teardown,
    readonly bay: DeviceBay,
    readonly move: MachineMove,
    readonly vm: Vm,
  ) {}

  start(): Promise<void> {
    return this.run.start();
  }
  pause(): Promise<void> {
    return this.run.pause();
  }
  resume(): Promise<void> {
    return this.run.resume();
  }
  reset(): Promise<void> {
    return this.run.reset();
  }
  async stop(): Promise<void> {
    await this.run.stop();
    this.console.stop();
  }
  writeConsole(port: number, bytes: Uint8Array): Promise<void> {
    return this.console.write(port, bytes);
  }
  grantConsole(port: number, bytes: number): void {
    this.console.grant(port, bytes);
  }
  async command(device: string, name: string, argument: unknown): Promise<unknown> {
    return this.bay.command(device, name, argument);
  }
  moveTo(order: MoveOrder): Promise<MachineMoved> {
    return this.move.to(order);
  }
  async counters(): Promise<Readonly<Record<string, number>>> {
    return this.#inspection().counters();
  }
  async listing(rip: bigint): Promise<string> {
    return this.#inspection().listing(rip);
  }
  #inspection(): VmInspection {
    if (this.vm.inspection) return this.vm.inspection;
    throw new RingzeroError("VM_UNSUPPORTED", `the backend ${this.run.backend} has no counters and no listings to show`);
  }
  dispose(): Promise<void> {
    return this.teardown.run();
  }
}

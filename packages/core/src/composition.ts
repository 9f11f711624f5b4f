// The composition root of a machine: the only file that names tsyringe. One child container per machine, token-based, factories only,
// so no class carries a decorator. What must stay true: the container never disposes anything; Teardown does, last first.

import {
  type Backend,
  type BackendPlugin,
  type BootImage,
  type BootPlugin,
  type Clock,
  type DevicePlugin,
  type MemoryRange,
  type Plugin,
  RingzeroError,
  type Vm,
} from "@ringzero/api";
import type { DependencyContainer, InjectionToken } from "tsyringe";
// Its container alone: the index loads all decorators too, and asks for the polyfill that they need.
import dependencyContainer from "tsyringe/dist/cjs/dependency-container.js";
import cachingFactory from "tsyringe/dist/cjs/factories/instance-per-container-caching-factory.js";
import { InterruptLines } from "./bus/interrupt-lines.js";
import { MmioSpace } from "./bus/mmio-bus.js";
import { PortSpace } from "./bus/port-bus.js";
import { ConsolePump } from "./host/console-pump.js";
import { DeviceBay } from "./host/device-bay.js";
import { DeviceHost, exitDispatcher, memoryRanges, vmConfig } from "./host/device-host.js";
import { MachineMove } from "./host/machine-move.js";
import type { HostEvent, MachineHost, MachinePlan, PluginLink, PluginSource } from "./host/machine-plan.js";
import { MovableVm } from "./host/movable-vm.js";
import { RunControl } from "./host/run-control.js";
import { SYSTEM_CLOCK } from "./host/system-clock.js";
import { Teardown } from "./teardown.js";

const { instance: container } = dependencyContainer;
const { default: instancePerContainerCachingFactory } = cachingFactory;

const token = <T>(name: string) => Symbol(name) as InjectionToken<T>;

const PLAN = token<MachinePlan>("machine plan");
const EMIT = token<(event: HostEvent) => void>("event sink");
const PLUGINS = token<PluginSource>("plugin source");
const CLOCK = token<Clock>("clock");
const IMAGE = token<BootImage>("boot image");
const BACKEND = token<Backend>("backend");
const MEMORY = token<readonly MemoryRange[]>("memory ranges");
const TEARDOWN = token<Teardown>("teardown");
const VM = token<MovableVm>("vm");
const CREATE = token<(backend: Backend, engine: MachinePlan["engine"], memoryFd?: number) => Promise<Vm>>("vm maker");
const RUN = token<RunControl>("run control");
const PORTS = token<PortSpace>("port bus");
const MMIO = token<MmioSpace>("mmio bus");
const LINES = token<InterruptLines>("interrupt lines");
const BAY = token<DeviceBay>("device bay");
const CONSOLE = token<ConsolePump>("console pump");
const MOVE = token<MachineMove>("move");
const HOST = token<DeviceHost>("device host");

/** What depends on the thread that the machine is hosted on. */
export interface HostEnvironment {
  readonly plugins: PluginSource;
  readonly emit: (event: HostEvent) => void;
  /** Default: real time. */
  readonly clock?: Clock;
}

function register(machine: DependencyContainer): void {
  const one = <T>(at: InjectionToken<T>, make: (from: DependencyContainer) => T) =>
    machine.register(at, { useFactory: instancePerContainerCachingFactory(make) });
  one(TEARDOWN, () => new Teardown());
  one(MEMORY, (from) => memoryRanges(from.resolve(PLAN), from.resolve(IMAGE)));
  one(RUN, (from) => new RunControl(from.resolve(BACKEND).name, from.resolve(EMIT)));
  one(PORTS, (from) => new PortSpace(from.resolve(RUN).guard));
  one(MMIO, (from) => new MmioSpace(from.resolve(MEMORY), from.resolve(RUN).guard));
  one(LINES, (from) => new InterruptLines(from.resolve(VM).interrupts));
  one(CONSOLE, (from) => new ConsolePump(from.resolve(VM), from.resolve(EMIT)));
  one(BAY, (from) => {
    const parts = { plan: from.resolve(PLAN), vm: from.resolve(VM), clock: from.resolve(CLOCK), emit: from.resolve(EMIT) };
    return new DeviceBay({
      ...parts,
      ports: from.resolve(PORTS),
      mmio: from.resolve(MMIO),
      lines: from.resolve(LINES),
      run: from.resolve(RUN),
    });
  });
  one(CREATE, (from) => {
    const dispatch = exitDispatcher(from.resolve(PORTS), from.resolve(MMIO), from.resolve(RUN));
    const plan = from.resolve(PLAN);
    return (backend, engine, memoryFd) => {
      const config = vmConfig({ ...plan, engine }, from.resolve(MEMORY));
      return backend.createVm(memoryFd === undefined ? config : { ...config, memoryFd }, dispatch);
    };
  });
  one(MOVE, (from) => {
    const warn = (message: string) =>
      from.resolve(EMIT)({
        kind: "log",
        record: { level: "warn", source: "move", message, fields: {}, at: Date.now() },
      });
    return new MachineMove({
      vm: from.resolve(VM),
      run: from.resolve(RUN),
      memory: from.resolve(MEMORY),
      warn,
      create: async (order, memoryFd) => {
        const { create } = await found<BackendPlugin>(from.resolve(PLUGINS), order.backend);
        return from.resolve(CREATE)(create({}), order.engine, memoryFd);
      },
    });
  });
  one(
    HOST,
    (from) =>
      new DeviceHost(
        from.resolve(RUN),
        from.resolve(CONSOLE),
        from.resolve(TEARDOWN),
        from.resolve(BAY),
        from.resolve(MOVE),
        from.resolve(VM),
      ),
  );
}

async function found<P extends Plugin>(source: PluginSource, link: PluginLink): Promise<P> {
  return (await source(link)) as P;
}

/**
 * Build a machine from its plan on this thread. Every file is read before the VM is made; when anything fails, nothing is left.
 * @throws RingzeroError `BOOT_*` from the boot plugin, `VM_*` from the backend, what a device's `attach` throws
 */
export async function composeMachine(plan: MachinePlan, environment: HostEnvironment): Promise<MachineHost> {
  const { plugins, emit, clock = SYSTEM_CLOCK } = environment;
  const boot = await found<BootPlugin>(plugins, plan.bootPlugin);
  const shape = { memoryBytes: plan.memoryBytes, cpus: plan.cpus, uarts: plan.uarts };
  const [image, backendPlugin, devices] = await Promise.all([
    boot.load(plan.boot, shape),
    found<BackendPlugin>(plugins, plan.backend),
    Promise.all(plan.devices.map(async (planned) => ({ planned, plugin: await found<DevicePlugin>(plugins, planned.plugin) }))),
  ]);

  const machine = container.createChildContainer();
  machine.register(PLAN, { useValue: plan });
  machine.register(EMIT, { useValue: emit });
  machine.register(PLUGINS, { useValue: plugins });
  machine.register(CLOCK, { useValue: clock });
  machine.register(IMAGE, { useValue: image });
  machine.register(BACKEND, { useValue: backendPlugin.create({}) });
  register(machine);

  const teardown = machine.resolve(TEARDOWN);
  try {
    const vm = new MovableVm(await machine.resolve(CREATE)(machine.resolve(BACKEND), plan.engine));
    teardown.defer(() => vm.dispose());
    machine.register(VM, { useValue: vm });
    const bay = machine.resolve(BAY);
    const pump = machine.resolve(CONSOLE);
    teardown.defer(() => pump.stop());
    teardown.defer(() => bay.dispose());
    machine.resolve(RUN).bind({
      vm,
      image,
      resetDevices: () => bay.reset(),
      pauseDevices: () => bay.pause(),
      resumeDevices: () => bay.resume(),
      flushConsole: () => pump.flush(),
    });
    for (const { planned, plugin } of devices) await bay.attach(planned, plugin);
    teardown.defer(() => machine.resolve(RUN).stop()); // runs first: no device goes while a vCPU runs
    return machine.resolve(HOST);
  } catch (error) {
    await teardown.run().catch((cause) => {
      throw new AggregateError([error, cause], "the machine could not be made, nor all of it be undone");
    });
    if (error instanceof RingzeroError || error instanceof RangeError || error instanceof TypeError) throw error;
    const said = error instanceof Error ? error.message : String(error);
    throw new RingzeroError("VM_PLUGIN_FAILED", `backend ${plan.backend.name} could not make the machine ${plan.name}: ${said}`, {
      cause: error,
    });
  }
}

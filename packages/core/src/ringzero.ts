// The SDK's front door: knows plugins, checks specifications, makes machines. One per embedder is enough; several do not disturb
// each other. What must stay true: nothing starts before everything is known to be right.

import {
  assertPlugin,
  type BackendReport,
  type Clock,
  type MachineSpec,
  type Plugin,
  RingzeroError,
  type SpecProblem,
} from "@ringzero/api";
import type { HostEvent, PluginSource } from "./host/machine-plan.js";
import { WorkerHost } from "./host/worker-host.js";
import { Machine } from "./machine/machine.js";
import { discover, namedModules, startFolder } from "./registry/discovery.js";
import { pluginsFromModule } from "./registry/plugin-module.js";
import { PluginRegistry } from "./registry/plugin-registry.js";
import { BackendProbes } from "./spec/choose-backend.js";
import { planMove } from "./spec/plan-move.js";
import { checkSpec, type SpecCheck } from "./spec/check-spec.js";

export interface RingzeroOptions {
  /** Plugins as objects or arrays of them, or by package name, path or file URL. They come before installed ones. */
  readonly plugins?: readonly (Plugin | readonly Plugin[] | string)[];
  /**
   * Where the embedder's package is: plugins of its direct dependencies are found by the "ringzero" field of their package.json.
   * A folder or `import.meta.url`; default: the folder of the running program. False: only `plugins`.
   */
  readonly discover?: string | false;
  /** Time for devices hosted inline and for measuring backends, for tests. */
  readonly clock?: Clock;
}

export interface MachineOptions {
  /**
   * A backend's name, or "auto" (default): of those that can run the machine here, hardware virtualization if measuring shows that it is
   * that, else the one measured fastest.
   */
  readonly backend?: string;
  /** Where the devices live: "worker" (default) never blocks this thread, "inline" is this thread. "process" is not there yet. */
  readonly host?: "worker" | "inline" | "process";
  /**
   * How long a device worker may take over pause, resume, reset, stop and dispose before it is ended and the machine counts as crashed:
   * a device that never returns must not hold up its embedder. Milliseconds; default 15 000.
   */
  readonly answerTimeoutMs?: number;
}

/** Everything that `validate` found. */
export interface ValidationReport {
  readonly ok: boolean;
  readonly problems: readonly SpecProblem[];
  /** The backend that would run it, when there is one. */
  readonly backend: string | null;
  /** Why that one, or why none. */
  readonly why: string;
}

/** How long measuring waits for workers that load: a plugin may take for ever over what it prepares. */
const LOADING_LIMIT_MS = 2_000;

export class Ringzero implements AsyncDisposable {
  readonly #registry = new PluginRegistry();
  readonly #probes: BackendProbes;
  readonly #machines = new Set<Machine>();
  /** Started by `prepare` and not taken yet. */
  readonly #spareWorkers: WorkerHost[] = [];
  /** What `prepare` has under way. */
  readonly #preparing = new Set<Promise<unknown>>();
  #ready: Promise<void> | null = null;
  #disposed: Promise<void> | null = null;

  /** @throws RingzeroError `PLUGIN_API_RANGE`, `PLUGIN_DUPLICATE` @throws TypeError when something given is no plugin */
  constructor(readonly options: RingzeroOptions = {}) {
    this.#probes = new BackendProbes(this.#registry, options.clock, () => this.#prepared());
    for (const given of options.plugins ?? []) {
      if (typeof given === "string") continue;
      for (const plugin of Array.isArray(given) ? (given as readonly Plugin[]) : [given as Plugin]) {
        assertPlugin(plugin);
        this.#registry.add(plugin);
      }
    }
  }

  /**
   * Find everything that is wrong with a machine, without starting anything.
   * @param spec  anything
   * @throws RingzeroError `PLUGIN_UNKNOWN`, `PLUGIN_LOAD_FAILED` for plugins named in the constructor
   */
  async validate(spec: unknown, options: MachineOptions = {}): Promise<ValidationReport> {
    const { problems, backend, why } = await this.#check(spec, options);
    return { ok: problems.length === 0, problems, backend, why };
  }

  /**
   * Make a machine, in state `created`.
   * @throws RingzeroError `SPEC_INVALID` with all `problems`; `BACKEND_UNKNOWN`, `BACKEND_UNAVAILABLE` when that is the only one
   * @throws RingzeroError `BOOT_*` when a file is not what it should be, `BUS_OVERLAP`, `VM_PLUGIN_FAILED`, `VM_HOST_FAILURE`
   * @throws RingzeroError `VM_UNSUPPORTED` for host "process"
   */
  async create(spec: MachineSpec, options: MachineOptions = {}): Promise<Machine> {
    this.#requireOpen();
    if (options.host === "process") {
      throw new RingzeroError(
        "VM_UNSUPPORTED",
        'host "process" (devices in a jailed process) is not there yet; use "worker" or "inline"',
      );
    }
    const hosting = options.host ?? "worker";
    let emit: (event: HostEvent) => void = () => {};
    const worker = hosting === "worker" ? this.#takeWorker() : null;
    worker?.attend((event) => emit(event), options.answerTimeoutMs);
    let check: SpecCheck;
    try {
      check = await this.#check(spec, options);
      if (!check.plan) throw refusal(check.problems);
    } catch (error) {
      await worker?.discard();
      throw error;
    }
    const plan = check.plan;
    const { clock } = this.options;
    const machine = await Machine.open({
      spec,
      name: plan.name,
      backend: plan.backend.name,
      why: check.why,
      hosting,
      serialPorts: plan.uarts.length,
      planMove: (from, to, move) =>
        planMove({ plan, hosting, from, to, engine: move.engine, timeoutMs: move.timeoutMs }, this.#probes),
      open: (receive) => {
        emit = receive;
        return worker
          ? worker.build(plan)
          : composeInline(plan, { plugins: this.#inline, emit: receive, ...(clock ? { clock } : {}) });
      },
    });
    if (this.#disposed) {
      await machine.dispose();
      this.#requireOpen();
    }
    this.#machines.add(machine);
    machine.on("state", ({ state }) => {
      if (state === "disposed") this.#machines.delete(machine);
    });
    return machine;
  }

  /**
   * Start a device worker ahead of the machine that it is for: one `create` with host "worker" takes it, and is sooner by the time in which a
   * thread starts and loads what machines need, the longest part of it. Until then, or `dispose`, it waits: a thread of some megabytes.
   * Backends that have to be measured are measured when it has loaded.
   * @param options.backend  the one that the machine will be created with: no other is loaded. Default: all are
   * @returns resolves when it is loaded; nothing has to wait for that
   * @throws RingzeroError `PLUGIN_UNKNOWN`, `PLUGIN_LOAD_FAILED` for plugins named in the constructor
   */
  async prepare(options: Pick<MachineOptions, "backend"> = {}): Promise<void> {
    this.#requireOpen();
    const worker = new WorkerHost();
    this.#spareWorkers.push(worker);
    const done = this.#prepareIn(worker, options).finally(() => this.#preparing.delete(done));
    this.#preparing.add(done);
    await done;
  }

  async #prepareIn(worker: WorkerHost, options: Pick<MachineOptions, "backend">): Promise<void> {
    await this.#load();
    if (!worker.alive || this.#disposed) return;
    const { backend = "auto" } = options;
    const links = this.#registry.links("boot", "backend", "device");
    await worker.prepare(links.filter(({ kind, name }) => kind !== "backend" || backend === "auto" || name === backend));
  }

  /**
   * What each known backend says about this host.
   * @param options.calibrate  measure the ring-0 speed of each that is available: at most 250 ms of its guest each, once a process
   */
  async backends(options: { readonly calibrate?: boolean } = {}): Promise<readonly BackendReport[]> {
    await this.#load();
    const reports = await this.#probes.all();
    return options.calibrate === true ? this.#probes.calibrated(reports) : reports;
  }

  /** All known plugins, and the installed ones that could not be taken, with why. */
  async plugins(): Promise<{
    readonly known: readonly Plugin[];
    readonly rejected: readonly { readonly name: string; readonly error: RingzeroError }[];
  }> {
    await this.#load();
    const kinds = ["backend", "platform", "boot", "device", "disk", "diskFilter", "nic", "nicFilter"] as const;
    return { known: kinds.flatMap((kind) => this.#registry.all(kind)), rejected: this.#registry.rejected };
  }

  /** Disposes of every machine made here; idempotent. */
  dispose(): Promise<void> {
    const workers = this.#spareWorkers.splice(0).map((worker) => worker.discard());
    this.#disposed ??= Promise.allSettled([...workers, ...[...this.#machines].map((machine) => machine.dispose())]).then(
      (results) => {
        const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
        if (failures.length > 0) throw new AggregateError(failures, "not every machine could be disposed of");
      },
    );
    return this.#disposed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** Resolves when no worker loads any more, or has had long enough. */
  async #prepared(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const longEnough = new Promise((resolve) => (timer = setTimeout(resolve, LOADING_LIMIT_MS)));
    await Promise.race([Promise.allSettled(this.#preparing), longEnough]);
    clearTimeout(timer);
  }

  #takeWorker(): WorkerHost {
    for (let spare = this.#spareWorkers.shift(); spare; spare = this.#spareWorkers.shift()) if (spare.alive) return spare;
    return new WorkerHost();
  }

  readonly #inline: PluginSource = async ({ kind, name }) => {
    const plugin = this.#registry.find(kind, name);
    if (!plugin) throw new RingzeroError("PLUGIN_UNKNOWN", `the ${kind} plugin ${name} is not registered any more`);
    return plugin;
  };

  async #check(spec: unknown, options: MachineOptions) {
    this.#requireOpen();
    await this.#load();
    return checkSpec(
      spec,
      options.backend ?? "auto",
      options.host === "inline" ? "inline" : "worker",
      this.#registry,
      this.#probes,
    );
  }

  #requireOpen(): void {
    if (this.#disposed) throw new RingzeroError("VM_NOT_OPEN", "this Ringzero is disposed of; make a new one");
  }

  #load(): Promise<void> {
    this.#ready ??= this.#loadPlugins();
    return this.#ready;
  }

  async #loadPlugins(): Promise<void> {
    const from = startFolder(this.options.discover || undefined);
    for (const given of this.options.plugins ?? []) {
      if (typeof given !== "string") continue;
      for (const { url } of await namedModules(given, from)) {
        for (const plugin of await pluginsFromModule(url)) this.#registry.add(plugin, url);
      }
    }
    if (this.options.discover === false) return;
    const modules = await discover(from);
    const loaded = await Promise.allSettled(modules.map(({ url }) => pluginsFromModule(url)));
    for (const [i, result] of loaded.entries()) {
      const { package: name, url } = modules[i]!;
      if (result.status === "rejected") this.#registry.rejected.push({ name, error: result.reason as RingzeroError });
      else for (const plugin of result.value) this.#take(plugin, url);
    }
  }

  /** An installed plugin: what was given in code wins, and one that does not fit is remembered for messages. */
  #take(plugin: Plugin, url: string): void {
    if (this.#registry.has(plugin.kind, plugin.name)) return;
    try {
      this.#registry.add(plugin, url);
    } catch (error) {
      this.#registry.rejected.push({ name: plugin.name, error: error as RingzeroError });
    }
  }
}

/** Devices in this thread; the container is loaded by whoever composes, and mostly that is a worker. */
async function composeInline(...given: Parameters<typeof import("./composition.js").composeMachine>) {
  const { composeMachine } = await import("./composition.js");
  return await composeMachine(...given);
}

function refusal(problems: readonly SpecProblem[]): RingzeroError {
  const list = problems.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join("\n  ");
  const only = problems.length === 1 ? problems[0]!.code : null;
  const code =
    only === "unknown-backend" ? "BACKEND_UNKNOWN" : only === "backend-unavailable" ? "BACKEND_UNAVAILABLE" : "SPEC_INVALID";
  const message = problems.length === 1 ? list : `the machine specification has ${problems.length} problems:\n  ${list}`;
  return new RingzeroError(code, message, { problems });
}

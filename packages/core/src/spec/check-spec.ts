// Turns a specification into a plan, or into everything that is wrong with it. What must stay true: all problems are found in one
// go, nothing is opened or started, and the plan holds every default.

import { type BootSource, type DeviceSpec, type MachineSpec, parseSize, SPEC_LIMITS, type SpecProblem } from "@ringzero/api";
import type { MachinePlan, PlannedDevice } from "../host/machine-plan.js";
import type { PluginRegistry } from "../registry/plugin-registry.js";
import { bootFileProblems, bootFormProblems } from "./check-boot.js";
import { type BackendProbes, chooseBackend } from "./choose-backend.js";
import { MACHINE_FORM, NO_OPTIONS } from "./known-schemas.js";
import { dataProblems, fillAndCheck, schemaProblems, shown, suggestion } from "./schema-problems.js";

export interface SpecCheck {
  readonly problems: readonly SpecProblem[];
  /** Null when there are problems. */
  readonly plan: MachinePlan | null;
  readonly backend: string | null;
  readonly why: string;
}

const PAGE_BYTES = 4096;

function memoryProblems(memory: unknown): SpecProblem[] {
  const say = (code: SpecProblem["code"], message: string): SpecProblem[] => [{ path: "memory", code, message }];
  if (memory === undefined) return say("missing", 'memory is required, such as "512MiB"');
  if (typeof memory !== "string" && typeof memory !== "number")
    return say("wrong-type", `must be a size such as "512MiB" or a number of bytes, not ${shown(memory)}`);
  const sizeBytes = parseSize(memory);
  if (sizeBytes === null)
    return say("bad-size", `${shown(memory)} is not a size; write one such as "512MiB", "2GiB" or a number of bytes`);
  if (sizeBytes < SPEC_LIMITS.minMemoryBytes || sizeBytes > SPEC_LIMITS.maxMemoryBytes)
    return say("out-of-range", `must be from 2MiB to 1TiB, not ${shown(memory)}`);
  if (sizeBytes % PAGE_BYTES !== 0) return say("out-of-range", `must be a multiple of 4KiB, not ${shown(memory)}`);
  return [];
}

/** Devices with their plugins found and options checked; adds to `problems`. */
function planDevices(
  devices: readonly { readonly spec: DeviceSpec; readonly path: string }[],
  registry: PluginRegistry,
  problems: SpecProblem[],
): PlannedDevice[] {
  const planned: PlannedDevice[] = [];
  const ids = new Map<string, string>();
  for (const { spec, path } of devices) {
    const plugin = registry.find("device", spec.plugin);
    if (!plugin) {
      const rejected = registry.rejected.find(({ name }) => name === spec.plugin);
      if (rejected) {
        const code = rejected.error.code === "PLUGIN_API_RANGE" ? "plugin-api" : "plugin-load";
        problems.push({ path: `${path}.plugin`, code, message: rejected.error.message });
      } else {
        const names = registry.all("device").map(({ name }) => name);
        const message = `there is no device plugin ${spec.plugin}${suggestion(spec.plugin, names)}; install its package as a dependency, or give it to new Ringzero({ plugins })`;
        problems.push({ path: `${path}.plugin`, code: "unknown-plugin", message });
      }
      continue;
    }
    let id = spec.id ?? "";
    if (id === "") {
      const stem = spec.plugin.slice(spec.plugin.lastIndexOf("/") + 1);
      for (let n = 0; id === "" || ids.has(id); n += 1) id = `${stem}${n}`;
    }
    const other = ids.get(id);
    if (other)
      problems.push({
        path: `${path}.id`,
        code: "duplicate-id",
        message: `${other} has the id ${id} already; give one of them another`,
      });
    ids.set(id, path);
    const options = structuredClone(spec.options ?? {}) as Record<string, unknown>;
    problems.push(...fillAndCheck(plugin.options ?? NO_OPTIONS, options, `${path}.options`));
    planned.push({ id, plugin: registry.link(plugin), options });
  }
  return planned;
}

/**
 * @param input   anything; nothing is assumed of it
 * @param wanted  backend name or "auto"
 * @param hosting where the devices are to live
 */
export async function checkSpec(
  input: unknown,
  wanted: string,
  hosting: "worker" | "inline",
  registry: PluginRegistry,
  probes: BackendProbes,
): Promise<SpecCheck> {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    const message = `a machine specification is an object, not ${shown(input)}`;
    return { problems: [{ path: "", code: "wrong-type", message }], plan: null, backend: null, why: message };
  }
  const problems = dataProblems(input);
  const serialisable = problems.length === 0;
  const formProblems = [...schemaProblems(MACHINE_FORM, input, ""), ...memoryProblems((input as MachineSpec).memory)];
  const bootProblems = bootFormProblems((input as MachineSpec).boot);
  problems.push(...formProblems, ...bootProblems);
  const spec = input as MachineSpec;
  const good = (field: string) =>
    serialisable && !problems.some(({ path }) => path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`));

  if (bootProblems.length === 0 && serialisable) problems.push(...(await bootFileProblems(spec.boot as BootSource)));
  const bootPlugin = registry.all("boot").find((plugin) => plugin.sources.includes(spec.boot?.kind));
  if (bootProblems.length === 0 && !bootPlugin) {
    const message = `no boot plugin serves ${spec.boot.kind}; add @ringzero/boot to the dependencies, or give one to new Ringzero({ plugins })`;
    problems.push({ path: "boot.kind", code: "unknown-plugin", message });
  }

  const platformName = typeof spec.platform === "string" ? spec.platform : "pc";
  const platform = registry.find("platform", platformName);
  if (!platform && good("platform")) {
    const names = registry.all("platform").map(({ name }) => name);
    const message = `there is no platform plugin ${platformName}${suggestion(platformName, names)}; add @ringzero/devices to the dependencies, or give one to new Ringzero({ plugins })`;
    problems.push({ path: "platform", code: "unknown-plugin", message });
  }
  for (const [field, model] of [
    ["disks", "virtio-blk"],
    ["nics", "virtio-net"],
  ] as const) {
    if (good(field) && (spec[field]?.length ?? 0) > 0) {
      problems.push({
        path: field,
        code: "not-yet",
        message: `this version has no ${model} device; boot from an initramfs for now`,
      });
    }
  }

  let devices: PlannedDevice[] = [];
  if (good("devices")) {
    const own = (spec.devices ?? []).map((one, i) => ({ spec: one, path: `devices[${i}]` }));
    const standard =
      platform && formProblems.length === 0
        ? platform.devices(spec).map((one, i) => ({ spec: one, path: `platform.devices[${i}]` }))
        : [];
    devices = planDevices([...standard, ...own], registry, problems);
  }

  const cpus = spec.cpus ?? 1;
  const memoryBytes = parseSize(spec.memory ?? 0) ?? 0;
  const choice = await chooseBackend(
    wanted,
    {
      cpus: good("cpus") ? cpus : 1,
      memoryBytes: good("memory") ? memoryBytes : 0,
      cpuProfile: good("cpuProfile") ? spec.cpuProfile : undefined,
    },
    probes,
  );
  problems.push(...choice.problems);
  if (problems.length > 0 || !choice.report || !platform || !bootPlugin)
    return { problems, plan: null, backend: choice.report?.name ?? null, why: choice.why };

  const plan: MachinePlan = {
    name: spec.name ?? "machine",
    cpus,
    memoryBytes,
    cpuProfile: spec.cpuProfile ?? choice.report.capabilities.cpuProfiles[0] ?? "",
    uarts: platform.uarts(spec).map(({ port, irq }) => ({ port, irq })),
    engine: spec.engine ?? {},
    boot: structuredClone(spec.boot) as BootSource,
    bootPlugin: registry.link(bootPlugin),
    backend: registry.link(registry.find("backend", choice.report.name)!),
    devices,
  };
  if (hosting === "worker") problems.push(...inlineOnly(plan));
  return { problems, plan: problems.length > 0 ? null : plan, backend: choice.report.name, why: choice.why };
}

/** Plugins that a worker could not import again. */
function inlineOnly(plan: MachinePlan): SpecProblem[] {
  const links = [plan.backend, plan.bootPlugin, ...plan.devices.map(({ plugin }) => plugin)];
  return links
    .filter(({ module }) => module === null)
    .map(({ kind, name }) => ({
      path: "",
      code: "not-serialisable",
      message: `the ${kind} plugin ${name} was given as an object and cannot be handed to a worker; set its field \`module\` to import.meta.url, name it by its package, or create the machine with host: "inline"`,
    }));
}

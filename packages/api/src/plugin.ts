// The shape of every plugin: a plain object from a function, checked once, negotiated by API range.
// What must stay true: no container, no backend type but for backends, and options always described by a schema.

import type { Backend } from "./backend.js";
import type { BlockCapabilities, BlockDevice } from "./block-device.js";
import type { BootImage, MachineShape } from "./boot-image.js";
import type { AttachedDevice, Clock, Logger, MachineContext } from "./device.js";
import type { BootSource, DeviceSpec, MachineSpec } from "./machine-spec.js";
import type { NetworkLink } from "./network-link.js";
import type { Static, TSchema } from "./schema.js";

/** The plugin API of this version of Ringzero. */
export const PLUGIN_API = 1;

/** Versions of the plugin API that a plugin works with, both ends included. */
export interface ApiRange {
  readonly min: number;
  readonly max: number;
}

export type PluginKind = "disk" | "diskFilter" | "nic" | "nicFilter" | "device" | "backend" | "boot" | "platform";

interface PluginCommon<K extends PluginKind, O extends TSchema> {
  /** Package name for published plugins (`@acme/ringzero-disk-s3`), a short word for those that come with a package of several. */
  readonly name: string;
  readonly kind: K;
  readonly api: ApiRange;
  /** One line for `--help`. */
  readonly summary?: string;
  /** A JSON schema of an object; drives validation, command-line help and docs. Its defaults are filled in before use. */
  readonly options?: O;
  /**
   * `import.meta.url` of a module that exports this plugin, as default or in a default array. With it (or when named by its
   * package) the plugin can be opened wherever a machine's devices are hosted; without it only inline.
   */
  readonly module?: string;
  /**
   * Load what its use will need: called in a device worker that is started ahead of its machine, if at all. What it throws is forgotten; the same
   * will be thrown in use.
   */
  readonly prepare?: () => unknown;
}

/** What a disk or NIC plugin gets beside its options. */
export interface OpenContext {
  readonly machine: { readonly name: string };
  readonly id: string;
  readonly log: Logger;
  readonly clock: Clock;
  /** Aborted when the machine goes. */
  readonly signal: AbortSignal;
  /** An existing folder of the plugin's own, removed when the machine goes. */
  readonly scratchPath: string;
}

export interface DiskPlugin<O extends TSchema = TSchema> extends PluginCommon<"disk", O> {
  readonly capabilities: BlockCapabilities;
  open(options: Static<O>, context: OpenContext): Promise<BlockDevice>;
}
export interface DiskFilterPlugin<O extends TSchema = TSchema> extends PluginCommon<"diskFilter", O> {
  open(options: Static<O>, inner: BlockDevice, context: OpenContext): Promise<BlockDevice>;
}
export interface NicPlugin<O extends TSchema = TSchema> extends PluginCommon<"nic", O> {
  open(options: Static<O>, context: OpenContext): Promise<NetworkLink>;
}
export interface NicFilterPlugin<O extends TSchema = TSchema> extends PluginCommon<"nicFilter", O> {
  open(options: Static<O>, inner: NetworkLink, context: OpenContext): Promise<NetworkLink>;
}
export interface DevicePlugin<O extends TSchema = TSchema> extends PluginCommon<"device", O> {
  /** Build the device into a machine. Claims made before a throw are released. */
  attach(machine: MachineContext, options: Static<O>): AttachedDevice | void | Promise<AttachedDevice | void>;
}
export interface BackendPlugin<O extends TSchema = TSchema> extends PluginCommon<"backend", O> {
  /** Cheap and without side effects; `probe` and `createVm` do the work. */
  create(options: Static<O>): Backend;
}
export interface BootPlugin<O extends TSchema = TSchema> extends PluginCommon<"boot", O> {
  /** The values of `boot.kind` that it serves. */
  readonly sources: readonly BootSource["kind"][];
  /** Reads and checks every file. @throws RingzeroError `BOOT_*` */
  load(source: BootSource, shape: MachineShape): Promise<BootImage>;
}
export interface PlatformPlugin<O extends TSchema = TSchema> extends PluginCommon<"platform", O> {
  /** The devices that a machine of this kind has by itself, in the order in which they are attached; before those of the spec. */
  devices(spec: MachineSpec): readonly DeviceSpec[];
  /** Serial ports served natively: `spec.serial` of them, COM1 first. */
  uarts(spec: MachineSpec): readonly { readonly port: number; readonly irq: number }[];
}

export type Plugin =
  | DiskPlugin
  | DiskFilterPlugin
  | NicPlugin
  | NicFilterPlugin
  | DevicePlugin
  | BackendPlugin
  | BootPlugin
  | PlatformPlugin;

type PluginOf<O extends TSchema> =
  | DiskPlugin<O>
  | DiskFilterPlugin<O>
  | NicPlugin<O>
  | NicFilterPlugin<O>
  | DevicePlugin<O>
  | BackendPlugin<O>
  | BootPlugin<O>
  | PlatformPlugin<O>;

const KINDS: readonly PluginKind[] = ["disk", "diskFilter", "nic", "nicFilter", "device", "backend", "boot", "platform"];
const ENTRY: Readonly<Record<PluginKind, string>> = {
  disk: "open",
  diskFilter: "open",
  nic: "open",
  nicFilter: "open",
  device: "attach",
  backend: "create",
  boot: "load",
  platform: "devices",
};

/**
 * Types a plugin and checks its shape.
 * @returns the same object, frozen
 * @throws TypeError when a field is missing or of the wrong type
 */
export function definePlugin<const K extends PluginKind, O extends TSchema>(
  plugin: Extract<PluginOf<O>, { kind: K }> & { readonly kind: K },
): Extract<Plugin, { kind: K }> {
  assertPlugin(plugin);
  return Object.freeze(plugin) as unknown as Extract<Plugin, { kind: K }>;
}

/** @throws TypeError naming the first thing that makes it no plugin */
export function assertPlugin(value: unknown): asserts value is Plugin {
  if (typeof value !== "object" || value === null)
    throw new TypeError(`a plugin is an object, not ${value === null ? "null" : typeof value}`);
  const plugin = value as Record<string, unknown>;
  if (typeof plugin["name"] !== "string" || plugin["name"] === "") throw new TypeError("plugin.name must be a non-empty string");
  const who = `plugin ${plugin["name"]}`;
  if (!KINDS.includes(plugin["kind"] as PluginKind)) throw new TypeError(`${who}: kind must be one of ${KINDS.join(", ")}`);
  const api = plugin["api"] as Partial<ApiRange> | undefined;
  if (!Number.isInteger(api?.min) || !Number.isInteger(api?.max) || api!.min! > api!.max! || api!.min! < 1) {
    throw new TypeError(`${who}: api must be { min, max } with 1 <= min <= max`);
  }
  const entry = ENTRY[plugin["kind"] as PluginKind];
  if (typeof plugin[entry] !== "function") throw new TypeError(`${who}: ${entry} must be a function`);
}

/** Whether a plugin can be used by a host that speaks `spoken`. */
export function apiInRange(range: ApiRange, spoken: number = PLUGIN_API): boolean {
  return range.min <= spoken && spoken <= range.max;
}

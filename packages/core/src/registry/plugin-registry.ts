// The plugins that one Ringzero knows, by kind and name. What must stay true: two never share a kind and name, none is outside the
// spoken API range, and each remembers where it can be imported from again.

import { apiInRange, type Plugin, PLUGIN_API, type PluginKind, RingzeroError } from "@ringzero/api";
import type { PluginLink } from "../host/machine-plan.js";

export type PluginOfKind<K extends PluginKind> = Extract<Plugin, { kind: K }>;

interface Entry {
  readonly plugin: Plugin;
  readonly module: string | null;
}

/** An installed package whose plugins could not be taken, for messages. */
export interface RejectedPlugin {
  /** Plugin name when it is known, else the package or module. */
  readonly name: string;
  readonly error: RingzeroError;
}

export class PluginRegistry {
  readonly #entries = new Map<string, Entry>();
  readonly rejected: RejectedPlugin[] = [];

  /**
   * @param module  URL to import it from in a worker; default: the plugin's own `module`
   * @throws RingzeroError `PLUGIN_API_RANGE`, `PLUGIN_DUPLICATE`
   */
  add(plugin: Plugin, module: string | null = plugin.module ?? null): void {
    if (!apiInRange(plugin.api)) {
      const remedy = plugin.api.max < PLUGIN_API ? `update ${plugin.name}` : "update @ringzero/core";
      throw new RingzeroError(
        "PLUGIN_API_RANGE",
        `plugin ${plugin.name} was made for plugin API ${plugin.api.min}..${plugin.api.max}, and this version speaks ${PLUGIN_API}; ${remedy}`,
      );
    }
    const key = keyOf(plugin.kind, plugin.name);
    const other = this.#entries.get(key);
    if (other && other.plugin !== plugin) {
      throw new RingzeroError(
        "PLUGIN_DUPLICATE",
        `there are two ${plugin.kind} plugins named ${plugin.name}; remove one, or rename it`,
      );
    }
    this.#entries.set(key, { plugin, module });
  }

  has(kind: PluginKind, name: string): boolean {
    return this.#entries.has(keyOf(kind, name));
  }

  find<K extends PluginKind>(kind: K, name: string): PluginOfKind<K> | null {
    return (this.#entries.get(keyOf(kind, name))?.plugin as PluginOfKind<K> | undefined) ?? null;
  }

  /** All of a kind, in the order in which they were added. */
  all<K extends PluginKind>(kind: K): PluginOfKind<K>[] {
    return [...this.#entries.values()]
      .map(({ plugin }) => plugin)
      .filter((plugin): plugin is PluginOfKind<K> => plugin.kind === kind);
  }

  /** The plugin's own module, which loads little else, comes before the one that it was found in. */
  link(plugin: Plugin): PluginLink {
    const found = this.#entries.get(keyOf(plugin.kind, plugin.name))?.module ?? null;
    return { kind: plugin.kind, name: plugin.name, module: plugin.module ?? found };
  }

  /** Of those that a worker can import. */
  links(...kinds: readonly PluginKind[]): PluginLink[] {
    return kinds.flatMap((kind) => this.all(kind).map((plugin) => this.link(plugin))).filter(({ module }) => module !== null);
  }
}

function keyOf(kind: PluginKind, name: string): string {
  return `${kind} ${name}`;
}

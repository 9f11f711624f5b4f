// Imports a module that exports plugins: one, or an array of them, as its default export.

import { assertPlugin, type Plugin, type PluginKind, RingzeroError } from "@ringzero/api";

/**
 * @param url  of the module
 * @throws RingzeroError `PLUGIN_LOAD_FAILED`
 */
export async function pluginsFromModule(url: string): Promise<readonly Plugin[]> {
  let exported: unknown;
  try {
    exported = ((await import(url)) as { default?: unknown }).default;
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new RingzeroError("PLUGIN_LOAD_FAILED", `cannot import ${url}: ${said}`, { cause });
  }
  const plugins: unknown[] = Array.isArray(exported) ? exported : [exported];
  try {
    for (const plugin of plugins) assertPlugin(plugin);
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new RingzeroError(
      "PLUGIN_LOAD_FAILED",
      `the default export of ${url} must be a plugin or an array of plugins: ${said}`,
      { cause },
    );
  }
  return plugins as Plugin[];
}

/** One plugin of a module. @throws RingzeroError `PLUGIN_LOAD_FAILED` */
export async function pluginFromModule(url: string, kind: PluginKind, name: string): Promise<Plugin> {
  const found = (await pluginsFromModule(url)).find((plugin) => plugin.kind === kind && plugin.name === name);
  if (!found) throw new RingzeroError("PLUGIN_LOAD_FAILED", `${url} exports no ${kind} plugin named ${name}`);
  return found;
}

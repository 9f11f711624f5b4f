// Finds the plugins of installed packages: those direct dependencies of the embedder's package whose package.json has the field
//   "ringzero": { "plugins": ["./dist/index.js", "@other/package"] }
// A path is a module of that package; a name stands for the plugins of a dependency of that package. Never a global scan.
// With `"discover": false` beside `plugins`, a package (one of fakes, say) is used only when it is named.

import { RingzeroError } from "@ringzero/api";
import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

interface Manifest {
  readonly name?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly ringzero?: unknown;
}

/** A module to import plugins from. */
export interface PluginModule {
  readonly package: string;
  readonly url: string;
}

/** Folder to start from: of a file URL or path given by the embedder, of the running program, or the working directory. */
export function startFolder(from: string | undefined): string {
  if (from?.startsWith("file:")) return dirname(fileURLToPath(from));
  if (from) return resolve(from);
  return process.argv[1] ? dirname(resolve(process.argv[1])) : process.cwd();
}

async function manifestAt(folder: string): Promise<Manifest | null> {
  try {
    return JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as Manifest;
  } catch {
    return null; // absent, or not for us to complain about
  }
}

/** Nearest package.json upwards that names a package. */
async function owningPackage(folder: string): Promise<{ folder: string; manifest: Manifest } | null> {
  for (let at = folder; ; at = dirname(at)) {
    const manifest = await manifestAt(at);
    if (manifest?.name) return { folder: at, manifest };
    if (dirname(at) === at) return null;
  }
}

/** As Node looks for a package: node_modules of the folder and of each above it. */
async function installedFolder(name: string, from: string): Promise<string | null> {
  for (let at = from; ; at = dirname(at)) {
    const candidate = join(at, "node_modules", name);
    if (await manifestAt(candidate)) return candidate;
    if (dirname(at) === at) return null;
  }
}

async function modulesOf(name: string, folder: string, depth: number, named: boolean): Promise<PluginModule[]> {
  const manifest = await manifestAt(folder);
  const field = manifest?.ringzero as { plugins?: unknown; discover?: unknown } | undefined;
  if (field === undefined || (field?.discover === false && !named)) return [];
  const plugins = field?.plugins;
  if (!Array.isArray(plugins) || !plugins.every((entry) => typeof entry === "string")) {
    throw new RingzeroError(
      "PLUGIN_LOAD_FAILED",
      `the package.json of ${name}: "ringzero" must be { "plugins": [path or package, …], "discover"?: boolean }`,
    );
  }
  const found: PluginModule[] = [];
  for (const entry of plugins as string[]) {
    if (entry.startsWith("./")) found.push({ package: name, url: pathToFileURL(join(folder, entry)).href });
    else if (depth > 0) {
      const inner = await installedFolder(entry, folder);
      if (inner) found.push(...(await modulesOf(entry, inner, depth - 1, true)));
    }
  }
  return found;
}

/** Plugin modules of the direct dependencies of the package that holds `from`. */
export async function discover(from: string): Promise<PluginModule[]> {
  const owner = await owningPackage(from);
  if (!owner) return [];
  const { dependencies, optionalDependencies, devDependencies } = owner.manifest;
  const names = new Set(Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies }));
  const own = owner.manifest.ringzero === undefined ? [] : await modulesOf(owner.manifest.name!, owner.folder, 1, true);
  const theirs = await Promise.all(
    [...names].map(async (name) => {
      const folder = await installedFolder(name, owner.folder);
      return folder ? modulesOf(name, folder, 1, false) : [];
    }),
  );
  const unique = new Map([...own, ...theirs.flat()].map((module) => [module.url, module]));
  return [...unique.values()];
}

/**
 * Modules of a plugin named in code: a package (`@acme/post-card`), a path (`./plugin.js`) or a file URL.
 * @throws RingzeroError `PLUGIN_UNKNOWN` when there is no such package
 */
export async function namedModules(name: string, from: string): Promise<PluginModule[]> {
  if (name.startsWith("file:")) return [{ package: name, url: name }];
  if (name.startsWith(".") || isAbsolute(name)) return [{ package: name, url: pathToFileURL(resolve(name)).href }];
  const folder = await installedFolder(name, from);
  const modules = folder ? await modulesOf(name, folder, 1, true) : [];
  if (modules.length > 0) return modules;
  const problem = folder ? 'its package.json has no field "ringzero"' : "it is not installed";
  throw new RingzeroError(
    "PLUGIN_UNKNOWN",
    `cannot use the package ${name}, looked for from ${from}: ${problem}; install it, or name a module's path`,
  );
}

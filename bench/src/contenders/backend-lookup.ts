// Finds a backend by its name or by its package, for the harness and for the process that runs the guest.

import type { BackendReport } from "@ringzero/api";
import { Ringzero } from "@ringzero/core";

export interface FoundBackend {
  /** What the backend calls itself: what `MachineOptions.backend` takes. */
  readonly name: string;
  readonly report: BackendReport;
}

const isPackage = (backend: string) => /[@/.]/.test(backend);

/**
 * An SDK that knows our own plugins and, when `backend` is a package or a path, that one too.
 * @param from  folder from which such a package is looked for
 * @param more  further plugins, by file URL or path
 */
async function sdkFor(backend: string, from: string, more: readonly string[]): Promise<Ringzero> {
  if (!isPackage(backend)) return new Ringzero({ discover: import.meta.url, plugins: [...more] });
  await using ours = new Ringzero({ discover: import.meta.url });
  const { known } = await ours.plugins();
  return new Ringzero({ discover: from, plugins: [known, backend, ...more] });
}

/**
 * The SDK and what the backend says about this host. The caller disposes of the SDK.
 * @param forMachine  it is to run a machine: its device worker starts meanwhile
 * @throws RangeError when nobody knows it, or the package brings no backend
 * @throws RingzeroError `PLUGIN_UNKNOWN`, `PLUGIN_LOAD_FAILED`
 */
export async function openBackend(
  backend: string,
  from: string,
  more: readonly string[] = [],
  forMachine = false,
): Promise<FoundBackend & { readonly sdk: Ringzero }> {
  const name = isPackage(backend) ? await nameInPackage(backend, from) : backend;
  const sdk = await sdkFor(backend, from, more);
  if (forMachine) void sdk.prepare({ backend: name }).catch(() => undefined);
  const reports = await sdk.backends();
  const report = reports.find((one) => one.name === name);
  if (report) return { name, report, sdk };
  await sdk.dispose();
  throw new RangeError(`there is no backend ${backend}; known are ${reports.map((one) => one.name).join(", ")}`);
}

/** As `openBackend`, without keeping the SDK. */
export async function findBackend(backend: string, from: string): Promise<FoundBackend> {
  const { name, report, sdk } = await openBackend(backend, from);
  await sdk.dispose();
  return { name, report };
}

/** Plugins that are named in code come before discovered ones, so the package's backend is the first of all. */
async function nameInPackage(backend: string, from: string): Promise<string> {
  await using theirs = new Ringzero({ discover: from, plugins: [backend] });
  const first = (await theirs.plugins()).known.find(({ kind }) => kind === "backend");
  if (!first) throw new RangeError(`the package ${backend} brings no backend`);
  return first.name;
}

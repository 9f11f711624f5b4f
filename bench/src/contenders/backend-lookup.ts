// Finds a backend by its name or by its package, for the harness and for the process that runs the guest.

import type { BackendReport } from "@ringzero/api";
import { Ringzero } from "@ringzero/core";

/** An SDK that knows our own plugins and, when `backend` is a package or a path, that one too. */
export function sdkFor(backend: string): Ringzero {
  const isPackage = /[@/.]/.test(backend);
  return new Ringzero({ discover: import.meta.url, ...(isPackage ? { plugins: [backend] } : {}) });
}

/** What the backend says about this host; one that nobody knows is unavailable too. */
export async function findBackend(
  backend: string,
): Promise<Pick<BackendReport, "name" | "available" | "reason" | "capabilities">> {
  await using sdk = sdkFor(backend);
  const reports = await sdk.backends();
  const found = reports.find((report) => report.name === backend) ?? (/[@/.]/.test(backend) ? reports[0] : undefined);
  if (found) return found;
  const names = reports.map((report) => report.name).join(", ");
  throw new RangeError(`there is no backend ${backend}; known are ${names}`);
}

// What a disk or NIC plugin is given when it is opened, for a suite: `describeDisk("mine", () => openPlugin(plugin, { … }))`.

import type { BlockDevice, Clock, DiskPlugin, Logger, NetworkLink, NicPlugin, OpenContext } from "@ringzero/api";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const silent = (): void => undefined;
const LOG: Logger = { debug: silent, info: silent, warn: silent, error: silent };
const CLOCK: Clock = {
  nowNs: () => process.hrtime.bigint(),
  wallMs: () => Date.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return { release: () => clearTimeout(timer) };
  },
};

const folders: string[] = [];

function scratchFolder(): string {
  if (folders.length === 0) {
    process.once("exit", () => {
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    });
  }
  const made = mkdtempSync(join(tmpdir(), "ringzero-conformance-"));
  folders.push(made);
  return made;
}

/**
 * Open a plugin as a machine would. Its scratch folder goes when the process ends.
 * @param options  whole, as a specification would have them: defaults are not filled in here
 * @throws what the plugin throws
 */
export function openPlugin(plugin: DiskPlugin, options: object): Promise<BlockDevice>;
export function openPlugin(plugin: NicPlugin, options: object): Promise<NetworkLink>;
export function openPlugin(plugin: DiskPlugin | NicPlugin, options: object): Promise<BlockDevice | NetworkLink> {
  const context: OpenContext = {
    machine: { name: "conformance" },
    id: plugin.name,
    log: LOG,
    clock: CLOCK,
    signal: new AbortController().signal,
    scratchPath: scratchFolder(),
  };
  return plugin.open(options as never, context);
}

// Figures of a whole machine, taken from outside: how soon its first instruction runs, what an idle one holds and spends.

import { setTimeout as delay } from "node:timers/promises";
import { USERSPACE_BANNER } from "@ringzero/boot";
import type { Command } from "../contender.js";
import { runUntilMark } from "./child.js";
import { processorSeconds, processTree, residentMemory } from "./process-tree.js";

export interface ProbeOptions {
  readonly signal?: AbortSignal | undefined;
}

/** One figure of one row. */
export interface ProbeFigure {
  readonly row: string;
  readonly value: number;
  readonly unit: string;
}

const START_TIMEOUT_MS = 60_000;
const BOOT_TIMEOUT_MS = 300_000;
/** The guest's last work after boot, and the host's compilers and collectors, have ended by then. */
const SETTLE_MS = 3_000;
export const IDLE_WINDOW_MS = 10_000;

/** @param command  starts a machine whose firmware prints an x first of all */
export async function measureStart(command: Command, { signal }: ProbeOptions): Promise<ProbeFigure[]> {
  const value = await runUntilMark(command, { timeoutMs: START_TIMEOUT_MS, mark: "x", signal }, async (_, markMs) => markMs);
  return [{ row: "machine-start", value, unit: "ms" }];
}

/**
 * @param command  starts a machine that boots Linux and then sleeps
 * @param windowMs  time to watch it; the figure is scaled to ten seconds
 */
export async function measureIdle(
  command: Command,
  { signal, memoryMiB, windowMs }: ProbeOptions & { readonly memoryMiB: number; readonly windowMs: number },
): Promise<ProbeFigure[]> {
  return await runUntilMark(command, { timeoutMs: BOOT_TIMEOUT_MS, mark: USERSPACE_BANNER, signal }, async (pid) => {
    await delay(SETTLE_MS, undefined, { signal });
    const pids = await processTree(pid);
    const before = await processorSeconds(pids);
    const started = performance.now();
    await delay(windowMs, undefined, { signal });
    const spent = ((await processorSeconds(pids)) - before) * (IDLE_WINDOW_MS / (performance.now() - started));
    const memory = await residentMemory(pids, memoryMiB * 2 ** 20);
    const mebibytes = (row: string, bytes: number) => ({ row, value: bytes / 2 ** 20, unit: "MiB" });
    return [
      mebibytes("idle-memory", memory.totalBytes),
      mebibytes("idle-memory-above-ram", memory.aboveRamBytes),
      mebibytes("idle-memory-alone", memory.aloneBytes),
      { row: "idle-processor", value: spent, unit: "s/10 s" },
    ];
  });
}

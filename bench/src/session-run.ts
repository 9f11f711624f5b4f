// Runs one session of one contender: boots what it takes and turns what came out into figures.

import { USERSPACE_BANNER } from "@ringzero/boot";
import type { Contender } from "./contender.js";
import { parseValues } from "./guest-programs.js";
import { runChild } from "./machines/child.js";
import { IDLE_WINDOW_MS, measureIdle, measureStart, type ProbeFigure } from "./machines/machine-probes.js";
import { NODE_PROGRAM, NODE_SCRIPT, type SessionFiles } from "./session-files.js";
import type { PlannedSession } from "./sessions.js";

export interface SessionSettings {
  readonly roundMs: number;
  readonly memoryMiB: number;
  /** Short enough for a smoke test; see machine-probes.ts. */
  readonly quick: boolean;
  readonly signal?: AbortSignal | undefined;
}

const SESSION_TIMEOUT_MS = 600_000;
const QUICK_IDLE_WINDOW_MS = 2_000;
/** Two clocks may differ by so much before the report says so, over a span long enough to tell. */
const CLOCK_TOLERANCE = 0.05;
const CLOCK_SPAN_MS = 3_000;

/** Suites that the host itself has no machine for. */
export const runsNatively = (session: PlannedSession) =>
  (session.kind === "program" || session.kind === "node") && session.programs.length > 0;

/**
 * @returns figures, and what weakens them
 * @throws Error when the contender fails
 */
export async function runSession(
  contender: Contender,
  session: PlannedSession,
  files: SessionFiles,
  settings: SessionSettings,
): Promise<{ readonly figures: readonly ProbeFigure[]; readonly note: string | null }> {
  const { memoryMiB, signal } = settings;
  const { cpus } = session;
  if (session.kind === "start") {
    const command = await contender.command({ memoryMiB, cpus, boot: { firmware: await files.helloFirmware() } });
    return { figures: await measureStart(command, { signal }), note: null };
  }
  const { kernel, busybox } = files.images;
  if (session.kind === "idle") {
    const command = await contender.command({ memoryMiB, cpus, boot: { kernel, initrd: await files.initrd(["sleep 1000000"]) } });
    const windowMs = settings.quick ? QUICK_IDLE_WINDOW_MS : IDLE_WINDOW_MS;
    return { figures: await measureIdle(command, { signal, memoryMiB, windowMs }), note: null };
  }
  const words = ["--ms", String(settings.roundMs), "--rounds", "2", ...session.programs];
  const node = session.kind === "node";
  const script = node ? `${NODE_PROGRAM} ${words.join(" ")}` : `/usr/bin/bench ${words.join(" ")}`;
  const commands = [session.programs.length === 0 ? "true" : script];
  const command = await contender.command({
    ...{ memoryMiB, cpus, boot: { kernel, initrd: node ? await files.nodeInitrd(commands) : await files.initrd(commands) } },
    program: node
      ? { binary: process.execPath, arguments: [NODE_SCRIPT, ...words], busybox }
      : { binary: files.binary, arguments: words, busybox },
  });
  const { output, markMs, phases, clock } = await runChild(command, {
    timeoutMs: SESSION_TIMEOUT_MS,
    signal,
    mark: USERSPACE_BANNER,
  });
  const values = parseValues(output);
  const figures = session.workloads.flatMap(({ name, program }) => {
    const found = program === undefined ? undefined : values.get(program);
    return found ? [{ row: name, ...found }] : [];
  });
  const boot: Readonly<Record<string, number | undefined>> = {
    "boot-to-userspace": markMs ?? undefined,
    "boot-2-cpus": markMs ?? undefined,
    "boot-modules": phases?.modulesMs,
    "boot-create": phases ? phases.createdMs - phases.modulesMs : undefined,
    "boot-guest": phases && markMs !== null ? markMs - phases.createdMs : undefined,
  };
  for (const row of session.bootRows) {
    const value = boot[row];
    if (value !== undefined) figures.push({ row, value, unit: "ms" });
  }
  const drift = clock ? clock.guestMs / clock.hostMs - 1 : 0;
  const tells = clock !== null && clock.hostMs > CLOCK_SPAN_MS && Math.abs(drift) > CLOCK_TOLERANCE;
  return {
    figures,
    note: tells
      ? `${contender.name}: its clock ran ${Math.round(drift * 100)} % off the host's in ${session.name}, and those figures with it`
      : null,
  };
}

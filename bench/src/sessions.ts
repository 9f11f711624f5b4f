// Plans what is started: one session for each suite and number of processors, so that contenders take turns often.

import type { Workload } from "./catalogue.js";

export interface PlannedSession {
  /** For progress: the suite, and how many processors where that is not the run's own number. */
  readonly name: string;
  /** program: boots, runs the guest program, powers off; it also times boots. start and idle: see machine-probes.ts. */
  readonly kind: "program" | "start" | "idle";
  readonly cpus: number;
  readonly workloads: readonly Workload[];
  /** Names for the guest program; none: the guest only boots. */
  readonly programs: readonly string[];
  /** Row that takes this session's boot time, when that row is wanted. */
  readonly bootRow: string | null;
}

/** @param cpus  processors of the guests whose rows leave it open */
export function planSessions(workloads: readonly Workload[], cpus: number): readonly PlannedSession[] {
  const bootRows = new Map(
    workloads.flatMap(({ probe, cpus: own, name }) => (probe === "boot" ? [[own || cpus, name] as const] : [])),
  );
  const groups = new Map<string, Workload[]>();
  for (const one of workloads) {
    if (one.probe === "boot") continue;
    const key = `${one.suite} ${one.probe} ${one.cpus || cpus}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const sessions = [...groups.values()].map((rows): PlannedSession => {
    const { suite, probe, cpus: wanted } = rows[0]!;
    const own = wanted || cpus;
    return {
      name: probe === "start" ? rows[0]!.name : own === cpus ? suite : `${suite} with ${own} processors`,
      kind: probe === "boot" ? "program" : probe,
      ...{ cpus: own, workloads: rows, programs: rows.flatMap(({ program }) => program ?? []) },
      bootRow: probe === "program" ? (bootRows.get(own) ?? null) : null,
    };
  });
  // A boot row that no other session serves gets a boot of its own.
  const served = new Set(sessions.flatMap((session) => (session.kind === "program" ? [session.cpus] : [])));
  const boots = workloads
    .filter(({ probe, cpus: own }) => probe === "boot" && !served.has(own || cpus))
    .map(
      (one): PlannedSession => ({
        ...{ name: one.name, kind: "program", cpus: one.cpus || cpus, workloads: [one], programs: [], bootRow: one.name },
      }),
    );
  return [...boots, ...sessions];
}

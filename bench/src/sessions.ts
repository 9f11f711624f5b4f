// Plans what is booted: one session for each suite and number of processors, so that contenders take turns often.

import type { Workload } from "./catalogue.js";

export interface PlannedSession {
  /** For progress: the suite, and how many processors where that is not the run's own number. */
  readonly name: string;
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
    if (one.probe !== "program") continue;
    const key = `${one.suite} ${one.cpus || cpus}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const sessions = [...groups.values()].map((rows): PlannedSession => {
    const own = rows[0]!.cpus || cpus;
    return {
      name: own === cpus ? rows[0]!.suite : `${rows[0]!.suite} with ${own} processors`,
      ...{ cpus: own, workloads: rows, programs: rows.map(({ program }) => program!), bootRow: bootRows.get(own) ?? null },
    };
  });
  // A boot row that no other session serves gets a boot of its own.
  const served = new Set(sessions.map((session) => session.cpus));
  const boots = workloads.filter(({ probe, cpus: own }) => probe === "boot" && !served.has(own || cpus));
  return [
    ...boots.map((one) => ({ name: one.name, cpus: one.cpus || cpus, workloads: [one], programs: [], bootRow: one.name })),
    ...sessions,
  ];
}

// Plans what is started: one session for each suite and number of processors, so that contenders take turns often.

import type { Workload } from "./catalogue.js";

export interface PlannedSession {
  /** For progress: the suite, and how many processors where that is not the run's own number. */
  readonly name: string;
  /** program: boots, runs the guest program, powers off; it also times boots. node: likewise with Node. start and idle: see machine-probes.ts. */
  readonly kind: "program" | "node" | "start" | "idle";
  readonly cpus: number;
  readonly workloads: readonly Workload[];
  /** Names for the guest program; none: the guest only boots. */
  readonly programs: readonly string[];
  /** Rows about booting, which this session serves by the way. */
  readonly bootRows: readonly string[];
}

/** @param cpus  processors of the guests whose rows leave it open */
export function planSessions(workloads: readonly Workload[], cpus: number): readonly PlannedSession[] {
  const bootRows = new Map<number, Workload[]>();
  for (const one of workloads.filter(({ probe }) => probe === "boot"))
    bootRows.set(one.cpus || cpus, [...(bootRows.get(one.cpus || cpus) ?? []), one]);
  const namesFor = (count: number) => (bootRows.get(count) ?? []).map(({ name }) => name);
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
      bootRows: probe === "program" ? namesFor(own) : [],
    };
  });
  // Boot rows that no other session serves get a boot of their own.
  const served = new Set(sessions.flatMap((session) => (session.kind === "program" ? [session.cpus] : [])));
  const boots = [...bootRows]
    .filter(([count]) => !served.has(count))
    .map(
      ([count, rows]): PlannedSession => ({
        ...{ name: rows[0]!.name, kind: "program", cpus: count, workloads: rows, programs: [], bootRows: namesFor(count) },
      }),
    );
  return [...boots, ...sessions];
}

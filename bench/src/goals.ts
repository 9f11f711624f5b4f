// What the engine is to reach, as data: a bound on a figure of the report. The docs, the tables and the HTML page all say "met" or
// "not met" by this list, and docs/performance.md must name every row that is below its floor.

import { GROUPS, WORKLOADS } from "./catalogue.js";
import { slowdown, speedup } from "./ratios.js";
import type { ReportData, Row } from "./report.js";
import { geometricMean } from "./statistics.js";

export interface Goal {
  readonly name: string;
  /** What the figure is, in words. */
  readonly figure: string;
  readonly bound: "at least" | "at most";
  readonly value: number;
  readonly unit: "×" | "MiB" | "s";
  /** What a ratio is to, in a word or two. */
  readonly against?: string;
  /** Rows that it speaks of; a goal about a single row has one. */
  readonly rows: readonly string[] | "all";
  /** For a single row: where its ratio has to be on a chart of speed against QEMU, or of slowdown against native. */
  readonly mark?: { readonly kind: "qemu" | "native"; readonly at: number };
  /** Undefined where the report has not what it takes. */
  readonly of: (report: ReportData, backend: string) => number | undefined;
}

export interface GoalResult {
  readonly goal: Goal;
  /** Undefined: not measured in this run. */
  readonly reached: number | undefined;
  readonly met: boolean | undefined;
}

/** Rows without which a goal about the whole set would speak of another set. */
const WHOLE_SET = WORKLOADS.filter(({ probe, cpus }) => probe === "program" && cpus === 0).map(({ name }) => name);

const PROGRAM_ROWS = WORKLOADS.filter(({ probe }) => probe === "program").length;

type Ratio = (report: ReportData, row: Row, backend: string) => number | undefined;

const rowsOf = (report: ReportData, names: readonly string[] | "all") =>
  report.rows.filter(({ name, suite }) => (names === "all" ? !NOT_WORKLOADS.has(suite) : names.includes(name)));

/** Suites that do not count in the mean over the set: no guest workloads, with goals of their own, and Node, beside the C programs. */
export const NOT_WORKLOADS: ReadonlySet<string> = new Set(["boot", "idle", "node"]);

const mean = (names: readonly string[] | "all", ratio: Ratio) => (report: ReportData, backend: string) => {
  const values = rowsOf(report, names).flatMap((row) => ratio(report, row, backend) ?? []);
  return values.length > 0 ? geometricMean(values) : undefined;
};
const lowest = (ratio: Ratio) => (report: ReportData, backend: string) => {
  const values = rowsOf(report, "all").flatMap((row) => ratio(report, row, backend) ?? []);
  return values.length > 0 ? Math.min(...values) : undefined;
};

/** Times as fast as QEMU. */
const faster = (name: string, value: number): Goal => ({
  ...{ name, figure: "speed against QEMU", bound: "at least", value, unit: "×", rows: [name] },
  against: "QEMU",
  mark: { kind: "qemu", at: value },
  of: mean([name], speedup),
});
const bandwidth: Ratio = (report, row, backend) => {
  const times = slowdown(report, row, backend);
  return times === undefined ? undefined : 1 / times;
};

const shareOfQemu: Ratio = (report, row, backend) => {
  const times = speedup(report, row, backend);
  return times === undefined ? undefined : 1 / times;
};
const plain = (name: string) => (report: ReportData, backend: string) =>
  report.rows.find((row) => row.name === name)?.values[backend];

export const GOALS: readonly Goal[] = [
  {
    ...{ name: "whole set", figure: "geometric mean of speed against QEMU", bound: "at least", value: 5, unit: "×", rows: "all" },
    of: mean("all", speedup),
  },
  {
    ...{ name: "worst row", figure: "lowest speed against QEMU of any row", bound: "at least", value: 1, unit: "×", rows: "all" },
    of: lowest(speedup),
  },
  {
    ...{ name: "user-compute", figure: "geometric mean of slowdown against native", bound: "at most", value: 2.2, unit: "×" },
    rows: GROUPS["user-compute"]!,
    of: mean(GROUPS["user-compute"]!, slowdown),
  },
  {
    ...{ name: "simd", figure: "geometric mean of speed against QEMU", bound: "at least", value: 15, unit: "×" },
    rows: GROUPS["simd"]!,
    of: mean(GROUPS["simd"]!, speedup),
  },
  ...GROUPS["bandwidth"]!.map(
    (name): Goal => ({
      ...{ name, figure: "bandwidth against native", bound: "at least", value: 0.6, unit: "×", rows: [name] },
      against: "native",
      mark: { kind: "native", at: 1 / 0.6 },
      of: mean([name], bandwidth),
    }),
  ),
  faster("getppid", 1.5),
  faster("pipe-round-trip", 3),
  faster("page-fault", 3),
  faster("fork-exit", 2.5),
  faster("fork-exec", 2.5),
  faster("signal", 3),
  faster("patch-and-call", 10),
  faster("emit-and-call", 10),
  {
    ...{
      name: "boot-to-userspace",
      figure: "time against QEMU",
      bound: "at most",
      value: 0.6,
      unit: "×",
      rows: ["boot-to-userspace"],
    },
    against: "QEMU",
    of: mean(["boot-to-userspace"], shareOfQemu),
  },
  {
    ...{ name: "idle-memory-above-ram", figure: "resident memory of an idle 512 MiB guest above its touched RAM" },
    ...{ bound: "at most", value: 80, unit: "MiB", rows: ["idle-memory-above-ram"] },
    of: plain("idle-memory-above-ram"),
  },
  {
    ...{
      name: "idle-memory",
      figure: "resident memory in all against QEMU",
      bound: "at most",
      value: 1,
      unit: "×",
      rows: ["idle-memory"],
    },
    against: "QEMU",
    of: mean(["idle-memory"], shareOfQemu),
  },
  {
    ...{
      name: "idle-processor",
      figure: "processor time of an idle guest in ten seconds",
      bound: "at most",
      value: 0.05,
      unit: "s",
    },
    rows: ["idle-processor"],
    of: plain("idle-processor"),
  },
  {
    ...{ name: "two processors", figure: "parallel work of two vCPUs against one", bound: "at least", value: 1.9, unit: "×" },
    rows: ["parallel-2-cpus"],
    against: "one vCPU",
    of: (report, backend) => {
      const of = (name: string) => report.rows.find((row) => row.name === name)?.values[backend];
      const [one, two] = [of("parallel-2-threads"), of("parallel-2-cpus")];
      return one === undefined || two === undefined ? undefined : one / two;
    },
  },
];

/** How a backend stands against each goal. */
export function judge(report: ReportData, backend: string): readonly GoalResult[] {
  return GOALS.map((goal) => {
    const needed = goal.rows === "all" ? WHOLE_SET : goal.rows;
    const complete = needed.every((name) => report.rows.find((row) => row.name === name)?.values[backend] !== undefined);
    const reached = complete ? goal.of(report, backend) : undefined;
    const met = reached === undefined ? undefined : goal.bound === "at least" ? reached >= goal.value : reached <= goal.value;
    return { goal, reached, met };
  });
}

/** What a row is to reach by itself, and whether it does. */
export interface RowVerdict {
  /** Such as `≥ 3× QEMU`. */
  readonly floors: readonly string[];
  /** Undefined: nothing was asked, or it was not measured. */
  readonly met: boolean | undefined;
}

/** Every guest program is to be no slower than QEMU; some rows have more to reach. */
export function rowVerdict(report: ReportData, row: Row, backend: string): RowVerdict {
  const own = judge(report, backend).filter(({ goal }) => goal.rows.length === 1 && goal.rows[0] === row.name);
  const floors = own.map(({ goal: { bound, value, unit, against } }) => {
    const amount = unit === "×" ? `${value}×` : `${value} ${unit}`;
    return `${bound === "at least" ? "≥" : "≤"} ${amount}${against ? ` ${against}` : ""}`;
  });
  const verdicts = own.map(({ met }) => met);
  if (!NOT_WORKLOADS.has(row.suite) && !own.some(({ goal }) => goal.mark?.kind === "qemu")) {
    const times = speedup(report, row, backend);
    floors.push("≥ 1× QEMU");
    verdicts.push(times === undefined ? undefined : times >= 1);
  }
  const known = verdicts.filter((met) => met !== undefined);
  return { floors, met: known.length === 0 ? undefined : known.every((met) => met) };
}

/** Rows below a floor: what "Rows that fall short" must name. */
export const rowsBelow = (report: ReportData, backend: string): string[] =>
  report.rows.filter((row) => rowVerdict(report, row, backend).met === false).map(({ name }) => name);

/** Where a row's own floor is on a chart of that kind. */
export const rowFloor = (row: string, kind: "qemu" | "native") =>
  GOALS.find(({ rows, mark }) => rows.length === 1 && rows[0] === row && mark?.kind === kind)?.mark?.at;

/** Geometric means over a group's rows that were measured, or over a whole suite. */
export interface GroupMeans {
  readonly name: string;
  /** How many of its rows count, of how many. */
  readonly counted: number;
  readonly rows: number;
  readonly slowdown: number | undefined;
  readonly speedup: number | undefined;
}

/** The groups of which anything was measured, and the whole set last. */
export function groupMeans(report: ReportData, backend: string): GroupMeans[] {
  const groups: [string, readonly string[] | "all"][] = [...Object.entries(GROUPS), ["all guest programs", "all"]];
  return groups.flatMap(([name, rows]) => {
    const counted = rowsOf(report, rows).filter((row) => row.values[backend] !== undefined).length;
    const means = { slowdown: mean(rows, slowdown)(report, backend), speedup: mean(rows, speedup)(report, backend) };
    const all = rows === "all" ? PROGRAM_ROWS : rows.length;
    return counted === 0 ? [] : [{ name, counted, rows: all, ...means }];
  });
}

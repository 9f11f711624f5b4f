// The table of a report as cells of text: what the terminal and the documents show. Ratios are "how many times slower than native" and
// "how many times faster than QEMU".

import { type GoalResult, type GroupMeans, type RowVerdict, rowVerdict } from "../goals.js";
import { namesOf, pairedSpeed, slowdown, speedup } from "../ratios.js";
import type { ReportData, Row } from "../report.js";
import { geometricMean, spread } from "../statistics.js";
import { figure, percent, times } from "./figures.js";

export interface Table {
  readonly head: readonly string[];
  readonly lines: readonly (readonly string[])[];
}

/** Columns that hold words: row and unit. */
export const WORD_COLUMNS = 2;

export function ratioTable(report: ReportData): Table {
  const names = Object.keys(report.contenders);
  const backends = namesOf(report, "backend");
  const withNative = namesOf(report, "native").length > 0;
  const withQemu = namesOf(report, "qemu").length > 0;
  const ratios = backends.flatMap((backend) => [
    ...(withNative ? [{ title: `${backend} ÷ native`, of: slowdown, backend }] : []),
    ...(withQemu ? [{ title: `qemu ÷ ${backend}`, of: speedup, backend }] : []),
    ...backends
      .filter((other) => other !== backend && backend === backends[0])
      .map((other) => ({
        title: `${other} ÷ ${backend}`,
        of: (_: ReportData, row: Row) => pairedSpeed(row, backend, other),
        backend,
      })),
  ]);
  const lines = report.rows.map((row) => [
    ...[row.name, row.unit],
    ...names.map((name) => figure(row.values[name])),
    ...ratios.map(({ of, backend }) => times(of(report, row, backend))),
    percent(Math.max(0, ...Object.values(row.samples).map(spread))),
    ...backends.map((backend) => verdictOf(rowVerdict(report, row, backend))),
  ]);
  const measured = report.rows.filter((row) => row.suite !== "boot" && row.suite !== "idle");
  if (measured.length > 1 && ratios.length > 0) {
    lines.push([
      ...["geometric mean", ""],
      ...names.map(() => ""),
      ...ratios.map(({ of, backend }) => times(geometricMean(measured.flatMap((row) => of(report, row, backend) ?? [])))),
      "",
      ...backends.map(() => ""),
    ]);
  }
  const floors = backends.map((backend) => (backends.length > 1 ? `floor, ${backend}` : "floor"));
  return { head: ["workload", "unit", ...names, ...ratios.map(({ title }) => title), "spread", ...floors], lines };
}

/** A row's floors, and whether they are met. */
function verdictOf({ floors, met }: RowVerdict): string {
  if (floors.length === 0 || met === undefined) return "";
  return `${met ? "met" : "NOT MET"}: ${floors.join(", ")}`;
}

/** Geometric means of one backend, group by group. */
export function groupTable(means: readonly GroupMeans[]): Table {
  return {
    head: ["geometric means", "rows", "÷ native", "qemu ÷"],
    lines: means.map(({ name, counted, rows, slowdown, speedup }) => [
      name,
      counted === rows ? String(rows) : `${counted} of ${rows}`,
      times(slowdown),
      times(speedup),
    ]),
  };
}

/** The goals, one line each, for one backend. */
export function goalTable(results: readonly GoalResult[]): Table {
  return {
    head: ["goal", "figure", "floor", "reached", "verdict"],
    lines: results.map(({ goal, reached, met }) => [
      goal.name,
      goal.figure,
      `${goal.bound === "at least" ? "≥" : "≤"} ${goal.value} ${goal.unit}`,
      reached === undefined ? "–" : `${times(reached)} ${goal.unit}`,
      met === undefined ? "not measured" : met ? "met" : "not met",
    ]),
  };
}

// A report for a terminal.

import type { Change } from "../changes.js";
import { groupMeans, judge } from "../goals.js";
import { namesOf } from "../ratios.js";
import type { ReportData } from "../report.js";
import { spread } from "../statistics.js";
import { figure, percent, times } from "./figures.js";
import { goalTable, groupTable, ratioTable, type Table, WORD_COLUMNS } from "./table.js";

export function textTable(report: ReportData): string {
  const goals = namesOf(report, "backend").flatMap((backend) => {
    const measured = judge(report, backend).filter(({ met }) => met !== undefined);
    const means = groupMeans(report, backend);
    return [
      ...(means.length === 0 ? [] : ["", `${backend}:`, ...columns(groupTable(means), 1)]),
      ...(measured.length === 0 ? [] : ["", `goals, ${backend}:`, ...columns(goalTable(measured), 5)]),
    ];
  });
  return [
    ...columns(ratioTable(report), WORD_COLUMNS),
    ...goals,
    "",
    ...report.operations.map(
      ({ backend, name, value, unit, samples }) =>
        `${backend}: ${name}: ${figure(value)} ${unit}, spread ${percent(spread(samples))}`,
    ),
    ...report.notes,
    ...Object.entries(report.absent).map(([name, why]) => `${name} did not run: ${why}`),
  ].join("\n");
}

/** @param words  so many columns are set flush left, the others flush right */
function columns({ head, lines }: Table, words: number): string[] {
  const all = [head, ...lines];
  const widths = head.map((_, column) => Math.max(...all.map((cells) => cells[column]!.length)));
  return all.map((cells) =>
    cells
      .map((cell, column) => (column < words ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
}

/** What moved since another report, for a terminal. */
export function changesTable(all: readonly Change[]): string {
  const lines = all.map(({ row, contender, unit, before, now, speed, beyondNoise }) => [
    ...[row, contender, unit, figure(before), figure(now), `${times(speed)} ×`],
    beyondNoise ? (speed > 1 ? "faster" : "SLOWER") : "within noise",
  ]);
  return columns({ head: ["row", "contender", "unit", "then", "now", "speed", "verdict"], lines }, 3).join("\n");
}

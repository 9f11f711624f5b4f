// The two ratios by which an engine is judged: how many times slower than the host itself, how many times faster than QEMU (the
// better of several, row by row).

import type { ContenderKind } from "./contender.js";
import type { ReportData, Row } from "./report.js";
import { median } from "./statistics.js";

export function namesOf(report: ReportData, kind: ContenderKind): string[] {
  return Object.keys(report.contenders).filter((name) => report.contenders[name]!.kind === kind);
}

const over = (a: number | undefined, b: number | undefined) =>
  a === undefined || b === undefined || b === 0 ? undefined : a / b;

/** The figure of the best contender of a kind. */
export function bestOf(report: ReportData, row: Row, kind: ContenderKind): number | undefined {
  const values = namesOf(report, kind).flatMap((name) => row.values[name] ?? []);
  return values.length > 0 ? Math.min(...values) : undefined;
}

/** How many times slower than the host; undefined where either did not run. */
export const slowdown = (report: ReportData, row: Row, backend: string) =>
  over(row.values[backend], bestOf(report, row, "native"));

/** How many times faster than the better QEMU; undefined where either did not run. */
export const speedup = (report: ReportData, row: Row, backend: string) => over(bestOf(report, row, "qemu"), row.values[backend]);

/**
 * How many times faster than another contender: the median of the rounds' own ratios, where both have as many, since those were taken
 * one right after the other.
 */
export function pairedSpeed(row: Row, contender: string, other: string): number | undefined {
  const [mine, theirs] = [row.samples[contender], row.samples[other]];
  if (!mine || !theirs) return undefined;
  if (mine.length !== theirs.length) return over(row.values[other], row.values[contender]);
  return median(mine.map((sample, round) => theirs[round]! / sample));
}

type Range = readonly [number, number];

const rangeOf = (row: Row, name: string): Range | undefined => {
  const samples = row.samples[name];
  return samples && samples.length > 1 ? [Math.min(...samples), Math.max(...samples)] : undefined;
};

/** The slowdown of the backend's fastest and of its slowest round. */
export function slowdownRange(report: ReportData, row: Row, backend: string): Range | undefined {
  const native = bestOf(report, row, "native");
  const range = rangeOf(row, backend);
  return native === undefined || !range ? undefined : [range[0] / native, range[1] / native];
}

/** The speed against QEMU of the backend's slowest and of its fastest round. */
export function speedupRange(report: ReportData, row: Row, backend: string): Range | undefined {
  const qemu = bestOf(report, row, "qemu");
  const range = rangeOf(row, backend);
  return qemu === undefined || !range ? undefined : [qemu / range[1], qemu / range[0]];
}

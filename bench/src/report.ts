// Tables of a report: for a terminal, and as Markdown for docs/performance.md. Ratios are "how many times slower than native" and
// "how many times faster than QEMU": what the figures are judged by.

import type { Report, Row } from "./compare.js";
import { geometricMean } from "./statistics.js";

interface Line {
  readonly cells: readonly string[];
}

/** Four significant digits at most, without exponents. */
function figure(value: number | undefined): string {
  if (value === undefined) return "–";
  if (value >= 1000) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

function ratio(over: number | undefined, under: number | undefined): number | undefined {
  return over === undefined || under === undefined ? undefined : over / under;
}

/** Backends of the report: everything that is neither the host nor QEMU. */
function backendsOf(report: Report): string[] {
  return Object.keys(report.contenders).filter((name) => name !== "native" && !name.startsWith("qemu"));
}

/** The faster of the QEMUs, as the goals are stated. */
function bestQemu(report: Report, row: Row): number | undefined {
  const values = Object.keys(report.contenders)
    .filter((name) => name.startsWith("qemu"))
    .flatMap((name) => row.values[name] ?? []);
  return values.length > 0 ? Math.min(...values) : undefined;
}

function table(report: Report): { head: string[]; lines: Line[] } {
  const names = Object.keys(report.contenders);
  const backends = backendsOf(report);
  const head = ["workload", "unit", ...names, ...backends.flatMap((name) => [`${name} ÷ native`, `qemu ÷ ${name}`])];
  const lines = report.rows.map((row) => ({
    cells: [
      ...[row.name, row.unit],
      ...names.map((name) => figure(row.values[name])),
      ...backends.flatMap((name) => [
        figure(ratio(row.values[name], row.values["native"])),
        figure(ratio(bestQemu(report, row), row.values[name])),
      ]),
    ],
  }));
  const mean = (pick: (row: Row, backend: string) => number | undefined, backend: string) =>
    figure(geometricMean(report.rows.slice(1).flatMap((row) => pick(row, backend) ?? [])));
  lines.push({
    cells: [
      ...["geometric mean", ""],
      ...names.map(() => ""),
      ...backends.flatMap((backend) => [
        mean((row) => ratio(row.values[backend], row.values["native"]), backend),
        mean((row) => ratio(bestQemu(report, row), row.values[backend]), backend),
      ]),
    ],
  });
  return { head, lines };
}

/** For a terminal. */
export function textTable(report: Report): string {
  const { head, lines } = table(report);
  const all = [head, ...lines.map(({ cells }) => [...cells])];
  const widths = head.map((_, column) => Math.max(...all.map((cells) => cells[column]!.length)));
  const rows = all.map((cells) =>
    cells
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
  const operations = report.operations.map(({ name, value, unit }) => `${name}: ${figure(value)} ${unit}`);
  const absent = Object.entries(report.absent).map(([name, why]) => `${name} did not run: ${why}`);
  return [...rows, "", ...operations, ...absent].join("\n");
}

/** The generated part of docs/performance.md. */
export function markdown(report: Report): string {
  const { head, lines } = table(report);
  const { processor, cores, memoryGiB, kernel } = report.machine;
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    `Measured ${report.when.slice(0, 10)} on ${processor}, ${cores} cores, ${memoryGiB} GiB, Linux ${kernel}; medians of ${report.rounds}`,
    `interleaved rounds. Guest: ${report.guest.kernel}, ${report.guest.busybox}. All figures are times: lower is better.`,
    "",
    ...Object.entries(report.contenders).map(([name, what]) => `- \`${name}\`: ${what}`),
    ...Object.entries(report.absent).map(([name, why]) => `- \`${name}\` did not run: ${why.split("\n")[0]}`),
    "",
    row(head),
    row(head.map((_, column) => (column < 2 ? "---" : "---:"))),
    ...lines.map(({ cells }) => row(cells)),
    "",
    ...(report.operations.length === 0
      ? []
      : [
          "| operation of the SDK | median | unit |",
          "| --- | ---: | --- |",
          ...report.operations.map(({ name, value, unit }) => row([name, figure(value), unit])),
          "",
        ]),
  ].join("\n");
}

// A report as Markdown: the generated part of docs/performance.md.

import { groupMeans, judge, rowsBelow } from "../goals.js";
import { belowLine } from "../performance-docs.js";
import { namesOf } from "../ratios.js";
import type { ReportData } from "../report.js";
import { figure } from "./figures.js";
import { goalTable, groupTable, ratioTable, type Table, WORD_COLUMNS } from "./table.js";

export function markdown(report: ReportData): string {
  const { processor, cores, memoryGiB, kernel } = report.machine;
  return [
    `Measured ${report.when.slice(0, 10)} on ${processor}, ${cores} cores, ${memoryGiB} GiB, Linux ${kernel}; medians of ${report.rounds}`,
    `interleaved rounds. Guest: ${report.guest.kernel}, ${report.guest.busybox}. Lower is better, in every row. "qemu" in a ratio is`,
    "the better of the QEMUs in that row; spread is the widest distance between the rounds of one contender.",
    "",
    ...Object.entries(report.contenders).map(([name, { what }]) => `- \`${name}\`: ${what}`),
    ...Object.entries(report.absent).map(([name, why]) => `- \`${name}\` did not run: ${why.split("\n")[0]}`),
    ...report.notes.map((note) => `- ${note}`),
    "",
    ...namesOf(report, "backend").flatMap((backend) => [
      `The floors, and where ${backend} stands:`,
      "",
      ...table(goalTable(judge(report, backend)), 2),
      "",
      ...table(groupTable(groupMeans(report, backend)), 1),
      "",
    ]),
    belowLine(namesOf(report, "backend").flatMap((backend) => rowsBelow(report, backend))),
    "",
    ...table(ratioTable(report), WORD_COLUMNS),
    "",
    ...(report.operations.length === 0
      ? []
      : [
          ...table(
            {
              head: ["operation of the SDK", "unit", "median"],
              lines: report.operations.map(({ backend, name, value, unit }) => [`${backend}: ${name}`, unit, figure(value)]),
            },
            WORD_COLUMNS,
          ),
          "",
        ]),
  ].join("\n");
}

function table({ head, lines }: Table, words: number): string[] {
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [row(head), row(head.map((_, column) => (column < words ? "---" : "---:"))), ...lines.map(row)];
}

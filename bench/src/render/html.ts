// A report as one HTML file with its charts inside: nothing is loaded from anywhere. From the verdicts at the top to every figure at the end.

import { WORKLOADS, workloadNamed } from "../catalogue.js";
import { changes } from "../changes.js";
import { type GoalResult, groupMeans, judge, NOT_WORKLOADS, rowFloor } from "../goals.js";
import { namesOf, slowdown, slowdownRange, speedup, speedupRange } from "../ratios.js";
import type { ReportData, Row } from "../report.js";
import { spread } from "../statistics.js";
import { escaped, plainBars, type RatioBar, ratioAxis, ratioBars, ratioScale } from "./charts.js";
import { figure, percent, times } from "./figures.js";
import { STYLE } from "./html-style.js";

/** Colour of a contender: its place among the columns. */
const colourOf = (report: ReportData, name: string) => Object.keys(report.contenders).indexOf(name) % 8;

/** @param before  a report to compare with, of another day or another version */
export function html(report: ReportData, before?: ReportData): string {
  const { processor, cores, memoryGiB, kernel } = report.machine;
  const backends = namesOf(report, "backend");
  const title = `Benchmark of ${backends.join(", ") || "the host"}, ${report.when.slice(0, 10)}`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
<main>
<h1>${escaped(title)}</h1>
<p class="soft">${escaped(processor)}, ${cores} cores, ${memoryGiB} GiB, Linux ${escaped(kernel)}. Medians of ${report.rounds} interleaved
round${report.rounds === 1 ? "" : "s"}, ${report.roundMs} ms per timing. Guest: ${escaped(report.guest.kernel)}, ${escaped(report.guest.busybox)}.</p>
${legend(report)}
${backends.map((backend) => verdicts(report, backend)).join("\n")}
${before ? changed(report, before) : ""}
${ratios(report)}
${machines(report)}
${operations(report)}
${everything(report)}
${remarks(report)}
</main>
</html>
`;
}

function legend(report: ReportData): string {
  const items = Object.entries(report.contenders).map(
    ([name, { what }]) =>
      `<li><i class="c${colourOf(report, name)}"></i><b>${escaped(name)}</b> <span class="soft">${escaped(what)}</span></li>`,
  );
  return `<ul class="legend">${items.join("")}</ul>`;
}

const sign = ({ met }: GoalResult) =>
  met === undefined
    ? `<span class="open">not measured</span>`
    : met
      ? `<span class="met">✓ met</span>`
      : `<span class="missed">✗ not met</span>`;

const boundOf = ({ goal }: GoalResult) => `${goal.bound === "at least" ? "≥" : "≤"} ${goal.value} ${goal.unit}`;

/** Goals whose figures say most, in this order. */
const HEADLINES = ["whole set", "user-compute", "simd", "boot-to-userspace", "idle-memory-above-ram", "two processors"];

function verdicts(report: ReportData, backend: string): string {
  const results = judge(report, backend);
  const measured = results.filter(({ met }) => met !== undefined);
  const missed = measured.filter(({ met }) => met === false).length;
  const cards = HEADLINES.flatMap((name) => results.find((one) => one.goal.name === name) ?? [])
    .filter(({ reached }) => reached !== undefined)
    .map(
      (one) =>
        `<div class="card"><b>${times(one.reached)} ${one.goal.unit}</b>${escaped(one.goal.name)}: ${escaped(one.goal.figure)}` +
        `<div class="verdict">floor ${boundOf(one)} · ${sign(one)}</div></div>`,
    );
  const rows = results.map(
    (one) =>
      `<tr><td class="row">${escaped(one.goal.name)}</td><td>${escaped(one.goal.figure)}</td><td class="n">${boundOf(one)}</td>` +
      `<td class="n">${one.reached === undefined ? "–" : `${times(one.reached)} ${one.goal.unit}`}</td><td>${sign(one)}</td></tr>`,
  );
  return `<div class="cards">${cards.join("")}</div>
<h2>${escaped(backend)} against its goals</h2>
<p>${measured.length - missed} of ${measured.length} measured goals are met${missed > 0 ? `, ${missed} ${missed === 1 ? "is" : "are"} not` : ""}.</p>
${groups(report, backend)}
<h3>Floors</h3>
<div class="wide"><table><tr><th>goal</th><th>figure</th><th class="n">floor</th><th class="n">reached</th><th>verdict</th></tr>${rows.join("")}</table></div>`;
}

function groups(report: ReportData, backend: string): string {
  const rows = groupMeans(report, backend).map(
    ({ name, counted, rows: all, slowdown: slower, speedup: faster }) =>
      `<tr><td class="row">${escaped(name)}</td><td class="n">${counted === all ? all : `${counted} of ${all}`}</td>` +
      `<td class="n">${faster === undefined ? "–" : `${times(faster)}×`}</td><td class="n">${slower === undefined ? "–" : `${times(slower)}×`}</td></tr>`,
  );
  if (rows.length === 0) return "";
  return `<h3>Geometric means</h3>
<div class="wide"><table class="narrow"><tr><th>group</th><th class="n">rows</th><th class="n">faster than QEMU</th><th class="n">slower than native</th></tr>${rows.join("")}</table></div>`;
}

function ratios(report: ReportData): string {
  const rows = report.rows.filter(({ suite }) => !NOT_WORKLOADS.has(suite));
  const backends = namesOf(report, "backend");
  const against = [
    ...(namesOf(report, "qemu").length > 0
      ? [{ head: "times faster than QEMU", kind: "qemu" as const, of: speedup, rangeOf: speedupRange }]
      : []),
    ...(namesOf(report, "native").length > 0
      ? [{ head: "times slower than native", kind: "native" as const, of: slowdown, rangeOf: slowdownRange }]
      : []),
  ];
  if (rows.length === 0 || backends.length === 0 || against.length === 0) return "";
  const columns = against.map((one) => ({
    ...one,
    axis: ratioAxis(rows.flatMap((row) => backends.flatMap((backend) => one.of(report, row, backend) ?? []))),
  }));
  let suite = "";
  const lines = rows.map((row) => {
    const head =
      row.suite === suite
        ? ""
        : `<tr class="suite"><td colspan="${1 + columns.length}">${escaped((suite = row.suite))}</td></tr>`;
    const cells = columns.map(({ axis, of, rangeOf, kind }) => {
      const floor = rowFloor(row.name, kind);
      const bars = backends.map((backend): RatioBar => {
        const value = of(report, row, backend);
        const missed = value !== undefined && (kind === "qemu" ? value < (floor ?? 1) : floor !== undefined && value > floor);
        const range = rangeOf(report, row, backend);
        return { label: `${row.name}, ${backend}`, value, range, missed, colour: colourOf(report, backend) };
      });
      return `<td>${ratioBars(axis, bars, floor)}</td>`;
    });
    return `${head}<tr><td class="row" title="${escaped(workloadNamed(row.name)?.what ?? "")}">${escaped(row.name)}</td>${cells.join("")}</tr>`;
  });
  const heads = columns.map(({ head, axis }) => `<th>${head}${ratioScale(axis)}</th>`);
  return `<h2>Guest programs</h2>
<p>The same static program on every contender; both scales are logarithmic. Longer bars are better on the left${columns.length > 1 ? " and worse on the right" : ""}; a bar to the left of 1× there means
slower than QEMU. Of several QEMUs the better one counts. Thin lines span the rounds; a dashed line is the row's own floor, and a red figure misses it.</p>
<div class="wide"><table><tr><th>row</th>${heads.join("")}</tr>${lines.join("")}</table></div>`;
}

/** Rows that moved, the largest movement first. */
function changed(report: ReportData, before: ReportData): string {
  const all = changes(report, before);
  const moved = all
    .filter(({ beyondNoise }) => beyondNoise)
    .sort((a, b) => Math.abs(Math.log(b.speed)) - Math.abs(Math.log(a.speed)));
  if (all.length === 0) return "";
  const axis = ratioAxis(moved.map(({ speed }) => speed));
  const lines = moved.map(({ row, contender, before: old, now, unit, speed }) => {
    const bar = {
      label: `${row}, ${contender}`,
      value: speed,
      range: undefined,
      missed: speed < 1,
      colour: colourOf(report, contender),
    };
    return (
      `<tr><td class="row">${escaped(row)}</td><td>${escaped(contender)}</td><td>${ratioBars(axis, [bar])}</td>` +
      `<td class="n">${figure(old)}</td><td class="n">${figure(now)}</td><td>${escaped(unit)}</td></tr>`
    );
  });
  return `<h2>Since ${escaped(before.when.slice(0, 16).replace("T", " "))}</h2>
<p>${moved.length} of ${all.length} figures moved by more than their rounds differ among themselves; to the right is faster. Where both runs have the host's own figure,
the change is of the ratio to it, so that a slower day of the machine does not count.</p>
${moved.length === 0 ? "" : `<div class="wide"><table><tr><th>row</th><th>contender</th><th>speed now against then${ratioScale(axis)}</th><th class="n">then</th><th class="n">now</th><th>unit</th></tr>${lines.join("")}</table></div>`}`;
}

function machines(report: ReportData): string {
  const rows = report.rows.filter(({ suite }) => NOT_WORKLOADS.has(suite));
  if (rows.length === 0) return "";
  const charts = rows.map((row) => {
    const bars = Object.keys(report.contenders).flatMap((name) => {
      const value = row.values[name];
      if (value === undefined) return [];
      return [
        {
          label: name,
          value,
          text: `${figure(value)} ${row.unit}`,
          colour: colourOf(report, name),
          samples: row.samples[name] ?? [],
        },
      ];
    });
    return `<div><h3>${escaped(row.name)}</h3><p class="soft">${escaped(workloadNamed(row.name)?.what ?? "")}</p>${plainBars(bars)}</div>`;
  });
  return `<h2>Whole machines</h2><p>Shorter is better. A dot is one round.</p><div class="pair">${charts.join("")}</div>`;
}

function operations(report: ReportData): string {
  if (report.operations.length === 0) return "";
  const rows = report.operations.map(
    ({ backend, name, value, unit, samples }) =>
      `<tr><td>${escaped(backend)}</td><td>${escaped(name)}</td><td class="n" title="${samples.length} samples">${figure(value)} ${escaped(unit)}` +
      ` <span class="soft">±${percent(spread(samples) / 2)}</span></td></tr>`,
  );
  return `<h2>Operations of the SDK</h2><div class="wide"><table><tr><th>backend</th><th>operation</th><th class="n">median</th></tr>${rows.join("")}</table></div>`;
}

/** Every median with its spread, row by row. */
function everything(report: ReportData): string {
  const names = Object.keys(report.contenders);
  const cell = (row: Row, name: string) => {
    const value = row.values[name];
    if (value === undefined) return `<td class="n">–</td>`;
    const samples = row.samples[name] ?? [];
    const rounds = samples.map((one) => figure(one)).join(", ");
    const around = samples.length > 1 ? ` <span class="soft">±${percent(spread(samples) / 2)}</span>` : "";
    return `<td class="n" title="rounds: ${rounds}">${figure(value)}${around}</td>`;
  };
  const rows = report.rows.map(
    (row) =>
      `<tr><td class="row">${escaped(row.name)}</td><td>${escaped(row.unit)}</td>${names.map((name) => cell(row, name)).join("")}</tr>`,
  );
  const missing = WORKLOADS.filter(({ name }) => !report.rows.some((row) => row.name === name)).map(({ name }) => name);
  return `<h2>All figures</h2><p>Medians, with half the distance between the extreme rounds. Lower is better.</p>
<div class="wide"><table><tr><th>row</th><th>unit</th>${names.map((name) => `<th class="n">${escaped(name)}</th>`).join("")}</tr>${rows.join("")}</table></div>
${missing.length > 0 ? `<p class="soft">Not in this run: ${missing.join(", ")}.</p>` : ""}`;
}

function remarks(report: ReportData): string {
  const lines = [...report.notes, ...Object.entries(report.absent).map(([name, why]) => `${name} did not run: ${why}`)];
  return lines.length === 0 ? "" : `<h2>Remarks</h2><ul>${lines.map((line) => `<li>${escaped(line)}</li>`).join("")}</ul>`;
}

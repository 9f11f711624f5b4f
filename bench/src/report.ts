// What a comparison found: plain data, as it is saved to JSON, with the ways to show it. What must stay true: everything that a
// person is shown is computed from this data, so that a saved report shows the same.

import { readFile, writeFile } from "node:fs/promises";
import { type Change, changes } from "./changes.js";
import type { ContenderKind } from "./contender.js";
import type { OperationResult } from "./operations/operations.js";
import { type GoalResult, judge } from "./goals.js";
import { html } from "./render/html.js";
import { markdown } from "./render/markdown.js";
import { textTable } from "./render/text.js";

/** Grows when a field changes its meaning; readers refuse others. */
export const REPORT_FORMAT = 2;

/** One line of the table. Lower is better, whatever the unit. */
export interface Row {
  readonly name: string;
  readonly suite: string;
  readonly unit: string;
  /** Median by contender name; absent where it did not run. */
  readonly values: Readonly<Record<string, number>>;
  /** Every round's figure by contender name, in the order of the rounds. */
  readonly samples: Readonly<Record<string, readonly number[]>>;
}

export interface ReportData {
  readonly format: typeof REPORT_FORMAT;
  /** ISO 8601. */
  readonly when: string;
  readonly machine: { readonly processor: string; readonly cores: number; readonly memoryGiB: number; readonly kernel: string };
  /** By name, in the order of the columns: what it is, and its version. */
  readonly contenders: Readonly<Record<string, { readonly kind: ContenderKind; readonly what: string }>>;
  /** Why others did not run, or not to the end. */
  readonly absent: Readonly<Record<string, string>>;
  /** Things that weaken the figures: a clock that drifts, a row that a contender cannot run. */
  readonly notes: readonly string[];
  readonly guest: { readonly kernel: string; readonly busybox: string };
  readonly rounds: number;
  /** Milliseconds for one timing; short ones are a smoke test. */
  readonly roundMs: number;
  readonly rows: readonly Row[];
  readonly operations: readonly OperationResult[];
}

export class Report implements ReportData {
  readonly format = REPORT_FORMAT;
  readonly when!: string;
  readonly machine!: ReportData["machine"];
  readonly contenders!: ReportData["contenders"];
  readonly absent!: ReportData["absent"];
  readonly notes!: ReportData["notes"];
  readonly guest!: ReportData["guest"];
  readonly rounds!: number;
  readonly roundMs!: number;
  readonly rows!: readonly Row[];
  readonly operations!: readonly OperationResult[];

  constructor(data: ReportData) {
    Object.assign(this, data);
  }

  /** @throws TypeError when the file is no report, or one of another format */
  static async read(path: string): Promise<Report> {
    const data = JSON.parse(await readFile(path, "utf8")) as Partial<ReportData>;
    if (data.format !== REPORT_FORMAT || !Array.isArray(data.rows))
      throw new TypeError(`${path} is no benchmark report of format ${REPORT_FORMAT}; measure it again`);
    return new Report(data as ReportData);
  }

  /** Names of the backends that ran. */
  get backends(): string[] {
    return Object.keys(this.contenders).filter((name) => this.contenders[name]!.kind === "backend");
  }

  /** How a backend stands against the project's goals. @param backend  default: the first */
  goals(backend = this.backends[0]): readonly GoalResult[] {
    return backend === undefined ? [] : judge(this, backend);
  }

  /** What moved since another report, of another day or another version. */
  since(before: ReportData): readonly Change[] {
    return changes(this, before);
  }

  /** For a terminal. */
  toText(): string {
    return textTable(this);
  }

  toMarkdown(): string {
    return markdown(this);
  }

  /**
   * One file that needs no other: charts, verdicts and every figure.
   * @param before  a report to show the changes since
   */
  async writeHtml(path: string, before?: ReportData): Promise<void> {
    await writeFile(path, html(this, before));
  }

  async writeJson(path: string): Promise<void> {
    await writeFile(path, `${JSON.stringify(this, null, 2)}\n`);
  }
}

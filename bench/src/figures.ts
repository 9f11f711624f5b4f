// Collects what sessions measured, by row and contender.

import type { Workload } from "./catalogue.js";
import type { ProbeFigure } from "./machines/machine-probes.js";
import type { Row } from "./report.js";
import { median } from "./statistics.js";

export class Figures {
  readonly #samples = new Map<string, Map<string, number[]>>();
  readonly #units = new Map<string, string>();

  add(contender: string, { row, value, unit }: ProbeFigure): void {
    this.#units.set(row, unit);
    const samples = this.#samples.get(row) ?? new Map<string, number[]>();
    this.#samples.set(row, samples.set(contender, [...(samples.get(contender) ?? []), value]));
  }

  /** The row of a workload, or none when nobody measured it. */
  row({ name, suite }: Workload): Row[] {
    const samples = this.#samples.get(name);
    if (!samples) return [];
    const values = Object.fromEntries([...samples].map(([contender, all]) => [contender, median(all)]));
    return [{ name, suite, unit: this.#units.get(name)!, values, samples: Object.fromEntries(samples) }];
  }
}

// What moved between two reports, A against B: an older version of an engine, or main. What must stay true: a change of the machine's
// mood is not taken for a change of the engine.

import { bestOf } from "./ratios.js";
import type { ReportData, Row } from "./report.js";
import { spread } from "./statistics.js";

export interface Change {
  readonly row: string;
  readonly contender: string;
  readonly unit: string;
  /** Medians. */
  readonly before: number;
  readonly now: number;
  /** How many times faster (above 1) or slower it is now; of the ratios to native where both reports have that row of the host. */
  readonly speed: number;
  /** Whether it moved by more than the rounds of either report differ among themselves, and by more than a fiftieth. */
  readonly beyondNoise: boolean;
}

const LEAST_CHANGE = 0.02;

/** Every row that both reports have, by contender. The host itself is the measure, and not listed. */
export function changes(now: ReportData, before: ReportData): readonly Change[] {
  const operations = now.operations.flatMap((one): Change[] => {
    const old = before.operations.find(({ backend, name }) => backend === one.backend && name === one.name);
    if (!old) return [];
    const speed = old.value / one.value;
    const noise = Math.max(spread(old.samples), spread(one.samples), LEAST_CHANGE);
    const { name, backend, unit } = one;
    const figures = { before: old.value, now: one.value, speed, beyondNoise: Math.abs(Math.log(speed)) > noise };
    return [{ row: name, contender: backend, unit, ...figures }];
  });
  const rows = now.rows.flatMap((row) => {
    const old = before.rows.find(({ name, unit }) => name === row.name && unit === row.unit);
    if (!old) return [];
    const natives = [bestOf(before, old, "native"), bestOf(now, row, "native")] as const;
    const mood = natives[0] !== undefined && natives[1] !== undefined ? natives[1] / natives[0] : 1;
    return Object.keys(now.contenders).flatMap((contender): Change[] => {
      const [then, today] = [old.values[contender], row.values[contender]];
      if (then === undefined || today === undefined || then <= 0 || today <= 0 || now.contenders[contender]!.kind === "native")
        return [];
      const speed = (then * mood) / today;
      const noise = Math.max(noiseOf(old, contender), noiseOf(row, contender), LEAST_CHANGE);
      return [
        {
          row: row.name,
          contender,
          unit: row.unit,
          before: then,
          now: today,
          speed,
          beyondNoise: Math.abs(Math.log(speed)) > noise,
        },
      ];
    });
  });
  return [...rows, ...operations];
}

const noiseOf = (row: Row, contender: string) => spread(row.samples[contender] ?? []);

// How figures are written: short enough to compare at a glance, never with an exponent.

/** Three significant digits, whole above a thousand. @returns "–" for none */
export function figure(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  if (value >= 1000) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

/** A ratio: as `figure`, with two digits behind the point at least where they tell. */
export function times(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  return value >= 100 ? String(Math.round(value)) : value.toPrecision(3);
}

export const percent = (share: number) => `${Math.round(share * 100)} %`;

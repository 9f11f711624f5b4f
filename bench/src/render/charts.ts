// The charts of the HTML report, as inline SVG: ratio bars on a logarithmic scale, and plain bars. Colours are CSS classes, so that the
// page's light and dark palettes apply; exact figures are in the titles, which a pointer shows.

import { times } from "./figures.js";

export const escaped = (text: string) =>
  text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]!);

/** A logarithmic axis of ratios; 1 is always on it. */
export interface RatioAxis {
  readonly low: number;
  readonly high: number;
}

/** One bar: a ratio, the range over the rounds, and a class for its colour. */
export interface RatioBar {
  readonly label: string;
  readonly value: number | undefined;
  readonly range: readonly [number, number] | undefined;
  readonly colour: number;
  /** Below its floor, or slower than QEMU: the figure is written in the colour of a miss. */
  readonly missed: boolean;
}

const WIDTH = 330;
const LABEL_WIDTH = 52; // right of the longest bar
const LABEL_ROOM = 33; // of one label of the axis
const BAR_HEIGHT = 13;
const BAR_GAP = 4;
const PLOT = WIDTH - LABEL_WIDTH;
const STEPS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

export function ratioAxis(values: readonly number[]): RatioAxis {
  const low = STEPS.findLast((step) => step <= Math.min(0.8, ...values)) ?? STEPS[0]!;
  const high = STEPS.find((step) => step >= Math.max(2, ...values)) ?? STEPS.at(-1)!;
  return { low, high };
}

const place = ({ low, high }: RatioAxis, value: number) => {
  const share = (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low));
  return Math.min(PLOT, Math.max(0, share * PLOT));
};

const ticks = ({ low, high }: RatioAxis) => STEPS.filter((step) => step >= low && step <= high);

/** The axis' labels, to stand above a column of `ratioBars`. */
export function ratioScale(axis: RatioAxis): string {
  // Labels that would touch their neighbour are left out; 1 never is.
  const shownAt: number[] = [place(axis, 1)];
  const labels = ticks(axis).flatMap((step) => {
    const at = place(axis, step);
    if (step !== 1 && shownAt.some((other) => Math.abs(other - at) < LABEL_ROOM)) return [];
    shownAt.push(at);
    const anchor = at < 8 ? "start" : "middle";
    return `<text x="${at.toFixed(1)}" y="12" text-anchor="${anchor}" class="${step === 1 ? "tick one" : "tick"}">${step}×</text>`;
  });
  return `<svg width="${WIDTH}" height="16" aria-hidden="true">${labels.join("")}</svg>`;
}

/**
 * Bars from 1 to each ratio, one below the other.
 * @param floor  what this row is to reach, drawn as a mark across the bars; absent where nothing is asked
 */
export function ratioBars(axis: RatioAxis, bars: readonly RatioBar[], floor?: number): string {
  const height = bars.length * (BAR_HEIGHT + BAR_GAP) + BAR_GAP;
  const one = place(axis, 1);
  const grid = ticks(axis).map((step) => {
    const at = place(axis, step).toFixed(1);
    return `<line x1="${at}" x2="${at}" y1="0" y2="${height}" class="${step === 1 ? "grid one" : "grid"}"/>`;
  });
  const drawn = bars.map(({ label, value, range, colour, missed }, i) => {
    const y = BAR_GAP + i * (BAR_HEIGHT + BAR_GAP);
    const middle = y + BAR_HEIGHT / 2;
    if (value === undefined) {
      return { bar: "", text: `<text x="${one + 6}" y="${middle + 4}" class="none">not measured</text>` };
    }
    const at = place(axis, value);
    const [left, right] = [Math.min(one, at), Math.max(one, at)];
    const whisker =
      range && range[1] > range[0]
        ? `<line x1="${place(axis, range[0]).toFixed(1)}" x2="${place(axis, range[1]).toFixed(1)}" y1="${middle}" y2="${middle}" class="whisker"/>`
        : "";
    const between = range && range[1] > range[0] ? `; rounds ${times(range[0])} to ${times(range[1])}` : "";
    const end = Math.max(right, range ? place(axis, range[1]) : 0);
    const width = Math.max(1.5, right - left).toFixed(1);
    return {
      bar:
        `<g><title>${escaped(label)}: ${times(value)}×${between}</title>` +
        `<rect x="${left.toFixed(1)}" y="${y}" width="${width}" height="${BAR_HEIGHT}" rx="2" class="bar c${colour}"/>${whisker}</g>`,
      text: `<text x="${(end + 5).toFixed(1)}" y="${middle + 4}" class="value${missed ? " short" : ""}">${times(value)}×</text>`,
    };
  });
  const mark =
    floor === undefined
      ? ""
      : `<path d="M${place(axis, floor).toFixed(1)} 0V${height}" class="floor"><title>floor: ${floor}×</title></path>`;
  return `<svg width="${WIDTH}" height="${height}" role="img">${grid.join("")}${drawn.map(({ bar }) => bar).join("")}${mark}${drawn.map(({ text }) => text).join("")}</svg>`;
}

export interface PlainBar {
  readonly label: string;
  readonly value: number;
  readonly text: string;
  readonly colour: number;
  readonly samples: readonly number[];
}

const NAME_WIDTH = 110;
const PLAIN_WIDTH = 480;
const PLAIN_PLOT = PLAIN_WIDTH - NAME_WIDTH - 90;

/** Bars from zero, one below the other, with a dot for every round. */
export function plainBars(bars: readonly PlainBar[]): string {
  const high = Math.max(...bars.flatMap(({ value, samples }) => [value, ...samples]), Number.MIN_VALUE);
  const step = 24;
  const drawn = bars.map(({ label, value, text, colour, samples }, i) => {
    const y = i * step + 3;
    const width = (value / high) * PLAIN_PLOT;
    const dots = samples
      .map((one) => `<circle cx="${(NAME_WIDTH + (one / high) * PLAIN_PLOT).toFixed(1)}" cy="${y + 9}" r="2" class="dot"/>`)
      .join("");
    const end = NAME_WIDTH + (Math.max(value, ...samples) / high) * PLAIN_PLOT;
    return (
      `<text x="${NAME_WIDTH - 8}" y="${y + 13}" text-anchor="end" class="name">${escaped(label)}</text>` +
      `<rect x="${NAME_WIDTH}" y="${y}" width="${Math.max(1.5, width).toFixed(1)}" height="18" rx="2" class="bar c${colour}"/>${dots}` +
      `<text x="${(end + 6).toFixed(1)}" y="${y + 13}" class="value">${escaped(text)}</text>`
    );
  });
  return `<svg width="${PLAIN_WIDTH}" height="${bars.length * step + 4}" role="img">${drawn.join("")}</svg>`;
}

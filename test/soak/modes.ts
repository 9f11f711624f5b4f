// The ways in which a round runs the engine. Each must give the guest the same answers, so a guest that differs has found a bug.

export type EngineOptions = Readonly<Record<string, string | number | boolean>>;

export interface Mode {
  readonly name: string;
  readonly engine: EngineOptions;
  /** How much slower than plain a guest may be, for the time that it may stay silent. */
  readonly patience: number;
}

export const MODES: readonly Mode[] = [
  { name: "plain", engine: {}, patience: 1 },
  { name: "flush-tlb", engine: { stressFlushTlb: 500 }, patience: 2 },
  { name: "flush-code", engine: { stressFlushCode: 20_000 }, patience: 3 },
  { name: "interrupts", engine: { stressInterrupts: true }, patience: 2 },
  { name: "small-cache", engine: { codeCacheBytes: 4 << 20 }, patience: 3 },
  { name: "no-opt", engine: { noOpt: true }, patience: 5 },
  { name: "single", engine: { maxBlockInsts: 1 }, patience: 5 },
  { name: "flush-all", engine: { stressFlushTlb: 300, stressFlushCode: 50_000, stressInterrupts: true }, patience: 4 },
];

/**
 * The code cache is that of all processors, each of which empties it by its own count: without more patience of each, a guest of eight under
 * flush-all, such as Java, translates all day.
 */
export function engineOptions({ engine }: Mode, cpus: number): EngineOptions {
  const { stressFlushCode } = engine;
  return typeof stressFlushCode === "number" ? { ...engine, stressFlushCode: stressFlushCode * cpus } : engine;
}

export function modeNamed(name: string): Mode {
  const mode = MODES.find((candidate) => candidate.name === name);
  if (!mode) throw new RangeError(`there is no mode ${name}; there are ${MODES.map((each) => each.name).join(", ")}`);
  return mode;
}

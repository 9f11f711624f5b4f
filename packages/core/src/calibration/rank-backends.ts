// The rule of `auto`: in which order measured backends are taken. Pure; the reasons for the rule and its numbers are in
// docs/decisions/0018-auto-measures.md.

import type { BackendReport } from "@ringzero/api";

/**
 * Below this, what claims to be hardware is an emulator in the host's kernel: those take 200 to 1000 ns for each instruction of ring 0.
 * The slowest real one known, AMD-V that QEMU emulates, is above it several times.
 */
export const HARDWARE_INSTRUCTIONS_PER_SECOND = 5e6;
/** Hardware is not slower than this share of the fastest backend; a guest loop of some milliseconds may well be measured off by a half. */
export const HARDWARE_SHARE_OF_FASTEST = 0.5;

export interface BackendRanking {
  /** Best first. */
  readonly ranked: readonly BackendReport[];
  /** Why the first one is the first, in half a sentence; "" when there is none. */
  readonly ground: string;
  /** Why those that are not ranked are not, a sentence each. */
  readonly out: readonly string[];
}

/**
 * Whether a speed measured in ring 0 is that of hardware.
 * @param fastest  of all backends measured, instructions per second
 */
export function isHardwareSpeed(speed: number, fastest: number): boolean {
  return speed >= HARDWARE_INSTRUCTIONS_PER_SECOND && speed >= fastest * HARDWARE_SHARE_OF_FASTEST;
}

const speedText = (speed: number): string => `${(speed / 1e6).toFixed(speed < 1e7 ? 1 : 0)} million instructions a second`;

/** @param measured  in order of registration, which decides between those that nobody measured */
export function rankBackends(measured: readonly BackendReport[]): BackendRanking {
  const speedOf = ({ calibratedInstructionsPerSecond: speed }: BackendReport) => speed ?? -1;
  const fastest = Math.max(...measured.map(speedOf));
  const out: string[] = [];
  const hardware: BackendReport[] = [];
  const others: BackendReport[] = [];
  for (const report of measured) {
    const speed = speedOf(report);
    if (report.claimsHardware !== true) others.push(report);
    else if (isHardwareSpeed(speed, fastest)) hardware.push(report);
    else out.push(`${report.name}: ${refusal(report, fastest)}`);
  }
  const bySpeed = (a: BackendReport, b: BackendReport) => speedOf(b) - speedOf(a);
  const ranked = [...hardware.sort(bySpeed), ...others.sort(bySpeed)];
  return { ranked, ground: ranked[0] ? groundOf(ranked[0], ranked.length) : "", out };
}

function groundOf(best: BackendReport, count: number): string {
  const speed = best.calibratedInstructionsPerSecond;
  if (best.claimsHardware === true && speed !== null) return `the processor runs the guest, ${speedText(speed)} in ring 0`;
  if (count === 1) return "the only one that can run this machine here";
  return speed === null ? "first of those that can run it" : `the fastest measured, ${speedText(speed)}`;
}

function refusal({ name, calibratedInstructionsPerSecond: speed, calibrationNote }: BackendReport, fastest: number): string {
  const anyway = `; to use it all the same, ask for backend ${name} by name`;
  if (speed === null)
    return `whether ring 0 runs in hardware could not be measured (${calibrationNote ?? "no reason given"})${anyway}`;
  if (speed < HARDWARE_INSTRUCTIONS_PER_SECOND) return `this host runs ring 0 in software, ${speedText(speed)}${anyway}`;
  return `ring 0 is too slow for hardware, ${speedText(speed)} where another backend does ${speedText(fastest)}${anyway}`;
}

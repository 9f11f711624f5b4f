// The firmware image of guest-images/moving-sums.s, and what its guest must print: the sum is computed here once more, in other words.

import { execFileSync } from "node:child_process";
import { join } from "node:path";

const SOURCE = new URL("../../guest-images/moving-sums.s", import.meta.url).pathname;
const ITERATIONS = 20_000;
const KERNEL_ITERATIONS = 50;

/** Assemble the image for a machine. @param folder  where files may be put @returns the image's path */
export function assembleSums(folder: string, cpus: number): string {
  const file = (name: string): string => join(folder, `sums-${cpus}.${name}`);
  execFileSync("as", ["--64", "--defsym", `CPUS=${cpus}`, "-o", file("o"), SOURCE]);
  execFileSync("ld", ["-Ttext=0xffff0000", "-e", "0xffff0000", "--oformat", "binary", "-o", file("bin"), file("o")]);
  return file("bin");
}

const rotate = (word: number, by: number): number => ((word << by) | (word >>> (32 - by))) >>> 0;

/** The sum of one round, as the guest prints it. */
export function expectedSum(): string {
  let n = 1;
  let sum = 0;
  let lane = 0;
  let halves = 0;
  let total = 0n;
  const next = (): void => void (n = (Math.imul(n, 1103515245) + 12345) >>> 0);
  for (let i = 0; i < ITERATIONS; i += 1) {
    next();
    sum = rotate((sum + n) >>> 0, 5);
    lane = rotate((lane + n) >>> 0, 7);
    halves = halves * 0.5 + (n & 0xffff);
    total += BigInt(n & 0xffff);
  }
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, halves);
  sum = (sum ^ lane) >>> 0;
  sum = (sum + rotate(lane, 1)) >>> 0;
  sum = (sum ^ bits.getUint32(4)) >>> 0;
  sum = (sum + bits.getUint32(0) + Number(total & 0xffffffffn)) >>> 0;
  n = sum;
  for (let i = 0; i < KERNEL_ITERATIONS; i += 1) {
    next();
    n = rotate(n, 3);
  }
  return n.toString(16).padStart(8, "0");
}

/** A line of the guest: its numbers by name. */
export interface SumsLine {
  readonly sums: readonly string[];
  readonly otherRounds: number;
  readonly pitTicks: number;
  readonly apicTicks: number;
}

/** @throws Error for a line that is torn or says that the guest met an exception */
export function parseLine(line: string): SumsLine {
  if (!/^([0-9a-f]{8} ){5}$/.test(line)) throw new Error(`not a line of the guest: ${JSON.stringify(line)}`);
  const [first, second, ...numbers] = line.trimEnd().split(" ");
  const [otherRounds, pitTicks, apicTicks] = numbers.map((text) => Number.parseInt(text, 16));
  return { sums: [first!, second!], otherRounds: otherRounds!, pitTicks: pitTicks!, apicTicks: apicTicks! };
}

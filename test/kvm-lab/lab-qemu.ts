// Which QEMU emulates the lab's processor: the installed one, or the newest at hand, because newer ones emulate more of AMD-V. What must
// stay true: the one that Debian 12 has, 7.2, is enough.

import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Where `npm run bench -- --fetch-qemu` puts Debian's newest, each in a folder by its version. */
const FETCHED = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "ringzero", "qemu");
export const INSTALLED = "qemu-system-x86_64";

export interface LabQemu {
  readonly program: string;
  /** Such as "7.2.22". */
  readonly version: string;
}

/** Asked for in place of a program: the newest of the installed and the fetched ones. */
export const NEWEST = "newest";

/** @param program  by name or path, or NEWEST. @returns null when there is none that runs */
export async function findQemu(program: string): Promise<LabQemu | null> {
  const fetched = (await readdir(FETCHED).catch(() => [])).filter((name) => /^\d/.test(name)).sort(newestFirst);
  const programs = program !== NEWEST ? [program] : [...fetched.map((name) => join(FETCHED, name, INSTALLED)), INSTALLED];
  const found: LabQemu[] = [];
  for (const each of programs) {
    const { stdout } = await promisify(execFile)(each, ["--version"]).catch(() => ({ stdout: "" }));
    const version = /version (\d+(?:\.\d+)+)/.exec(stdout)?.[1];
    if (version) found.push({ program: each, version });
  }
  return found.sort((a, b) => newestFirst(a.version, b.version))[0] ?? null;
}

function newestFirst(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number)) as [number[], number[]];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (right[i] ?? 0) - (left[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** @param wanted  such as "10.2" */
export const atLeast = (version: string, wanted: string): boolean => newestFirst(version, wanted) <= 0;

/**
 * Before 10.2, QEMU may lose an interrupt of the emulated processor: its VMRUN with a virtual interrupt pending (V_IRQ, by which KVM waits for
 * a guest to enable interrupts) sets a bit in the word of what is pending, without a lock and not in one piece, while the thread of the timers
 * sets another. The local APIC keeps the interrupt in its IRR, and the processor does not look there until the next one comes. If it was the
 * timer's, none does: a guest that runs without leaving KVM's kernel part, such as a processor that spins until another answers, runs for
 * ever, and nothing else in the lab runs again. Any other interrupt mends it, so the lab gets one from outside five times a second.
 */
export const losesInterrupts = (version: string): boolean => !atLeast(version, "10.2");

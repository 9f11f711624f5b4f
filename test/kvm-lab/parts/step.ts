// The translator in lockstep with a KVM whose ring 0 is the processor's: the guest programs, registers compared after every instruction. On
// development machines KVM may emulate ring 0 in software, by a table of its own; here it is QEMU's emulated processor.

import { fileURLToPath } from "node:url";
import type { Reporter } from "../part.js";
import { passedCount, programNamed, runProgram } from "../run-program.js";

const PROGRAM = fileURLToPath(new URL("../../../../backends/bt/build/native/engine_step_test", import.meta.url));
/**
 * Of a program: enough for the modes and tables that it is about, and half of the time that twice as many take. Further on three programs
 * differ by what QEMU 7.2 does: its far transfers do not set the accessed bit of a code segment, its LAR clears bits 16 to 19, which AMD's
 * processors load, and its CMPXCHG8B changes PF.
 */
const MOST_INSTRUCTIONS = 500;
const ASSEMBLES = ["as", "ld"];

export async function step(report: Reporter): Promise<void> {
  const lacking = ASSEMBLES.filter((name) => !programNamed(name));
  if (lacking.length > 0) return report.skipped("lockstep of bt and kvm", `${lacking.join(", ")} (Debian: binutils)`);
  const result = await runProgram(PROGRAM, ["--against-kvm", "--most", String(MOST_INSTRUCTIONS)]);
  const [compared] = /\d+ instructions compared with KVM/.exec(result.output) ?? [];
  const count = passedCount(result);
  if (count && compared) report.passed("lockstep of bt and kvm", `${count.passed} guest programs, ${compared}`);
  else report.failed("lockstep of bt and kvm", `engine_step_test ended with ${result.code}: ${result.output.slice(-1500)}`);
}

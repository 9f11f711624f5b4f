// How fast an engine runs ring 0 on this host, measured with a guest of a few instructions through the public contract, so that it
// works for any backend. What must stay true: it takes at most the two limits below, never throws, and leaves nothing behind.

import type { Backend, BackendReport, Clock, ExitHandler, Vm } from "@ringzero/api";
import {
  CALIBRATION_CODE,
  CALIBRATION_MEMORY,
  CALIBRATION_PORT,
  calibrationRegisters,
  CODE_AT,
  INSTRUCTIONS_PER_ROUND,
} from "./calibration-guest.js";

/** What was measured, or why nothing was. */
export interface Calibration {
  /** Guest instructions per second in ring 0. */
  readonly instructionsPerSecond: number | null;
  /** One sentence. */
  readonly note: string;
}

/** The guest is stopped when it has run for this long, measured or not. */
export const CALIBRATION_BUDGET_MS = 250;
/** Making its machine says nothing of the guest's speed, and takes a loaded or an emulated host many times what it takes others. */
export const MAKING_LIMIT_MS = 2_000;
const FIRST_ROUNDS = 64; // under a millisecond even where an instruction takes one microsecond
const MAX_GROWTH = 32;
const MAX_ROUNDS = 2 ** 31; // of a 32-bit register
/** A batch this long is more than the cost of an exit. */
const LONG_BATCH_NS = 2e6;
const WANTED_BATCH_NS = 4e6;
const GROWTH_WHEN_LONG = 4;
/** A long batch that is so many times faster than the one before it was long by its exit, not by what the guest did. */
const MOSTLY_EXIT = 2;
/** Two long batches after each other whose speeds are this near say the same. */
const AGREEMENT = 1.25;

/**
 * Rounds between two exits of the guest: more and more, until two long batches agree. The best speed counts. On a busy host any batch may
 * have waited for its turn; a wait that is the same each time does not pass for a slow guest, because batches go on growing.
 */
class Batches {
  #rounds = 0;
  #sinceNs = 0n;
  #last: number | null = null;
  best: number | null = null;

  /** The guest asks how often to go round. @returns 0 when enough is known */
  next(nowNs: bigint): number {
    const tookNs = Math.max(1, Number(nowNs - this.#sinceNs));
    this.#sinceNs = nowNs;
    if (this.#rounds === 0) return (this.#rounds = FIRST_ROUNDS);
    const speed = (this.#rounds * INSTRUCTIONS_PER_ROUND * 1e9) / tookNs;
    this.best = Math.max(speed, this.best ?? 0);
    const long = tookNs >= LONG_BATCH_NS;
    if (long && this.#last !== null && Math.max(speed / this.#last, this.#last / speed) < AGREEMENT) return 0;
    const mostlyExit = this.#last !== null && speed > MOSTLY_EXIT * this.#last;
    const shortGrowth = Math.min(MAX_GROWTH, Math.ceil(WANTED_BATCH_NS / tookNs));
    const growth = !long ? shortGrowth : mostlyExit ? MAX_GROWTH : GROWTH_WHEN_LONG;
    this.#last = long ? speed : null;
    this.#rounds = Math.min(this.#rounds * growth, MAX_ROUNDS);
    return this.#rounds;
  }
}

/**
 * @param report  what its probe said: an unavailable one is not tried, and a speed that it knows already is taken
 */
export async function calibrate(backend: Backend, report: BackendReport, clock: Clock): Promise<Calibration> {
  const known = report.calibratedInstructionsPerSecond;
  if (known !== null) return { instructionsPerSecond: known, note: "the backend's own figure" };
  if (!report.available) return { instructionsPerSecond: null, note: "not measured: it is not available" };
  const batches = new Batches();
  let vm: Vm | null = null;
  let over = false;
  let note: string;
  try {
    note = await new Promise<string>((resolve, reject) => {
      let alarm = clock.after(MAKING_LIMIT_MS, () => end(`its machine was not made after ${MAKING_LIMIT_MS} ms`));
      let ended = false;
      const end = (why: string) => {
        ended = true;
        alarm.release();
        resolve(why);
      };
      const handler: ExitHandler = (exit) => {
        if (exit.kind !== "port-in" || exit.port !== CALIBRATION_PORT) {
          end(`the guest left with an exit that is not in it: ${exit.kind}`);
          return 0;
        }
        const rounds = batches.next(clock.nowNs());
        if (rounds === 0) end("");
        return rounds;
      };
      start(backend, report, handler, (made) => {
        vm = made;
        if (over) void made.dispose().catch(() => {}); // made after the time was over: nobody else has it
        made.on("crashed", ({ reason }) => end(`the engine crashed: ${reason}`));
      }).then(
        () => {
          if (ended) return;
          alarm.release();
          alarm = clock.after(CALIBRATION_BUDGET_MS, () => end(`the guest was not done after ${CALIBRATION_BUDGET_MS} ms`));
        },
        (error: unknown) => {
          alarm.release();
          reject(error);
        },
      );
    });
  } catch (error) {
    note = error instanceof Error ? error.message : String(error);
  }
  over = true;
  try {
    await (vm as Vm | null)?.dispose();
  } catch (error) {
    note ||= error instanceof Error ? error.message : String(error);
  }
  if (batches.best === null) return { instructionsPerSecond: null, note: `not measured: ${note || "the guest never asked"}` };
  return { instructionsPerSecond: batches.best, note: note === "" ? "measured" : `measured in part: ${note}` };
}

async function start(backend: Backend, report: BackendReport, handler: ExitHandler, made: (vm: Vm) => void): Promise<void> {
  const cpuProfile = report.capabilities.cpuProfiles[0] ?? "";
  const vm = await backend.createVm(
    { name: "calibration", vcpus: 1, memory: CALIBRATION_MEMORY, cpuProfile, uarts: [] },
    handler,
  );
  made(vm);
  vm.memory.write(CODE_AT, CALIBRATION_CODE);
  await vm.vcpus[0]!.setRegisters(calibrationRegisters());
  vm.run();
}

// The suite of two backends between which machines move: `describeMove("kvm", () => new KvmBackend(), "mine", () => new MyBackend())`.
// Each case runs both ways.

import type { Backend } from "@ringzero/api";
import { type BackendSuiteOptions, whatIsMissing } from "../backend/describe-backend.js";
import { Stage } from "../backend/stage.js";
import { type ConformanceCase, type Outcome, PASSED, skipped } from "../case.js";
import { describeCases } from "../mocha.js";
import { MOVE_CASES } from "./cases/index.js";
import type { MoveCase } from "./move-case.js";
import { commonProfiles, MoveRefused, MoveStage } from "./move-stage.js";

const TIMEOUT_MS = 240_000;

export interface MoveSuiteOptions extends BackendSuiteOptions {
  /**
   * The backends need not stand for the same processor on every host, so that one may refuse a state of the other: a case is skipped then,
   * and says what was refused. Default: it fails.
   */
  readonly mayRefuse?: boolean;
}

/**
 * The cases of moves, for a runner of one's own.
 * @param one, other  make the backends; called for each case
 * @param options  what either of them lacks
 */
export function moveCases(one: () => Backend, other: () => Backend, options: MoveSuiteOptions = {}): readonly ConformanceCase[] {
  return [
    ...MOVE_CASES.map((each) => bound(each, one, other, options)),
    ...MOVE_CASES.map((each) => ({
      ...bound(each, other, one, options),
      id: `${each.id}/back`,
      title: `${each.title}; the other way`,
    })),
  ];
}

/** Define mocha tests for all cases. @param oneName, otherName  of the backends, for the title */
export function describeMove(
  oneName: string,
  one: () => Backend,
  otherName: string,
  other: () => Backend,
  options: MoveSuiteOptions = {},
): void {
  describeCases(`conformance of moves between backends ${oneName} and ${otherName}`, moveCases(one, other, options));
}

function bound(each: MoveCase, from: () => Backend, to: () => Backend, options: MoveSuiteOptions): ConformanceCase {
  const run = async (): Promise<Outcome> => {
    const [source, target] = [from(), to()];
    const [here, there] = [await source.probe(), await target.probe()];
    const needs = { ...each, needs: ["saveState" as const, ...(each.needs ?? [])] };
    for (const report of [here, there]) {
      const missing = whatIsMissing(needs, report, options);
      if (missing !== null) return skipped(`${report.name}: ${missing}`);
    }
    const profiles = commonProfiles(here, there);
    if (profiles.length === 0) return skipped(`${here.name} and ${there.name} have no CPU profile in common`);
    const stage = new MoveStage(
      new Stage(source, here, options.patienceMs),
      new Stage(target, there, options.patienceMs),
      profiles,
    );
    try {
      return (await each.run(stage)) ?? PASSED;
    } catch (error) {
      if (options.mayRefuse && error instanceof MoveRefused) return skipped(error.message);
      throw error;
    } finally {
      await stage.close();
    }
  };
  return { id: each.id, title: each.title, timeoutMs: TIMEOUT_MS, run };
}

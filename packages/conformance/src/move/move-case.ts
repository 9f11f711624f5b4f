// A case of moves: a guest that begins on one backend and goes on on another.

import type { Outcome } from "../case.js";
import type { ContractCase } from "../backend/contract-case.js";
import type { MoveStage } from "./move-stage.js";

export interface MoveCase extends Omit<ContractCase, "run"> {
  /** @returns why it could not run after all, where only a guest could find out */
  run(stage: MoveStage): Promise<Outcome | void>;
}

// All cases of moves.

import type { MoveCase } from "../move-case.js";
import { COMPUTATION_CASES } from "./computation.js";
import { DEVICE_CASES } from "./devices.js";
import { INTERRUPTION_CASES } from "./interruption.js";
import { PROCESSOR_CASES } from "./processor.js";
import { REFUSAL_CASES } from "./refusal.js";
import { REGISTER_CASES } from "./registers.js";

export const MOVE_CASES: readonly MoveCase[] = [
  ...COMPUTATION_CASES,
  ...PROCESSOR_CASES,
  ...REGISTER_CASES,
  ...INTERRUPTION_CASES,
  ...DEVICE_CASES,
  ...REFUSAL_CASES,
];

// All cases that are code, in the order in which a new backend comes to pass them.

import type { ContractCase } from "../contract-case.js";
import { CONFIG_CASES } from "./config.js";
import { DEBUG_CASES } from "./debugging.js";
import { DIRTY_CASES } from "./dirty.js";
import { DOORBELL_CASES } from "./doorbells.js";
import { LIFE_CASES } from "./life.js";
import { PROCESSOR_COUNT_CASES } from "./processors.js";
import { STATE_CASES } from "./state.js";

export const CONTRACT_CASES: readonly ContractCase[] = [
  ...CONFIG_CASES,
  ...LIFE_CASES,
  ...PROCESSOR_COUNT_CASES,
  ...DOORBELL_CASES,
  ...STATE_CASES,
  ...DIRTY_CASES,
  ...DEBUG_CASES,
];

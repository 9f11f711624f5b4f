// All cases that are code, in the order in which a new backend comes to pass them.

import type { ContractCase } from "../contract-case.js";
import { CONFIG_CASES } from "./config.js";
import { DEBUG_CASES } from "./debugging.js";
import { DIRTY_CASES } from "./dirty.js";
import { DOORBELL_CASES } from "./doorbells.js";
import { LIFE_CASES } from "./life.js";
import { PROCESSOR_COUNT_CASES } from "./processors.js";
import { HOST_REMAPPING_CASES } from "./remapping.js";
import { STATE_CASES } from "./state.js";
import { UART_CASES } from "./uarts.js";
import { VECTOR_CASES } from "./vectors.js";
import { WAKING_CASES } from "./waking.js";

export const CONTRACT_CASES: readonly ContractCase[] = [
  ...CONFIG_CASES,
  ...LIFE_CASES,
  ...HOST_REMAPPING_CASES,
  ...WAKING_CASES,
  ...UART_CASES,
  ...VECTOR_CASES,
  ...PROCESSOR_COUNT_CASES,
  ...DOORBELL_CASES,
  ...STATE_CASES,
  ...DIRTY_CASES,
  ...DEBUG_CASES,
];

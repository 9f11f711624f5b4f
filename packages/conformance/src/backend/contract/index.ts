// All cases that are code, in the order in which a new backend comes to pass them.

import type { ContractCase } from "../contract-case.js";
import { CONFIG_CASES } from "./config.js";
import { LIFE_CASES } from "./life.js";

export const CONTRACT_CASES: readonly ContractCase[] = [...CONFIG_CASES, ...LIFE_CASES];

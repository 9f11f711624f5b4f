// All cases that are data, in the order in which a new backend comes to pass them.

import type { GuestCase } from "../guest-case.js";
import { INTERRUPT_CASES } from "./interrupts.js";
import { MMIO_CASES } from "./mmio.js";
import { PORT_CASES } from "./ports.js";
import { PROCESSOR_CASES } from "./processor.js";
import { STRING_CASES } from "./strings.js";

export const GUEST_CASES: readonly GuestCase[] = [
  ...PORT_CASES,
  ...MMIO_CASES,
  ...STRING_CASES,
  ...INTERRUPT_CASES,
  ...PROCESSOR_CASES,
];

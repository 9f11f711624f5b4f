// All cases that are data, in the order in which a new backend comes to pass them.

import type { GuestCase } from "../guest-case.js";
import { CROSSING_CASES } from "./crossing.js";
import { INTERRUPT_CASES } from "./interrupts.js";
import { MESSAGE_CASES } from "./messages.js";
import { MMIO_CASES } from "./mmio.js";
import { PORT_CASES } from "./ports.js";
import { PROCESSOR_CASES } from "./processor.js";
import { REMAPPING_CASES } from "./remapping.js";
import { STRING_CASES } from "./strings.js";
import { TIMER_CASES } from "./timers.js";
import { UART_REGISTER_CASES } from "./uart-registers.js";

export const GUEST_CASES: readonly GuestCase[] = [
  ...PORT_CASES,
  ...MMIO_CASES,
  ...CROSSING_CASES,
  ...STRING_CASES,
  ...INTERRUPT_CASES,
  ...TIMER_CASES,
  ...MESSAGE_CASES,
  ...UART_REGISTER_CASES,
  ...PROCESSOR_CASES,
  ...REMAPPING_CASES,
];

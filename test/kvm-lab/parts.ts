// What can be run in the lab, by name, in this order.

import type { Part } from "./part.js";
import { backends } from "./parts/backends.js";
import { boot } from "./parts/boot.js";
import { suite } from "./parts/conformance.js";
import { microvm } from "./parts/microvm.js";
import { move } from "./parts/move.js";
import { step } from "./parts/step.js";
import { timers } from "./parts/timers.js";

export const PARTS: Readonly<Record<string, Part>> = {
  backends,
  boot,
  move,
  timers,
  step,
  "conformance-kvm": suite("kvm"),
  "conformance-moves": suite("moves"),
  "conformance-bt": suite("bt"),
  microvm,
};
export const PART_NAMES: readonly string[] = Object.keys(PARTS);
/** What is a part of `npm test`: what only the lab can show. */
export const QUICK_PARTS: readonly string[] = ["backends", "boot", "move", "conformance-kvm"];

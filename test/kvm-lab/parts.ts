// What can be run in the lab, by name, in this order.

import type { Part } from "./part.js";
import { backends } from "./parts/backends.js";
import { boot } from "./parts/boot.js";
import { conformance } from "./parts/conformance.js";
import { move } from "./parts/move.js";
import { microvm } from "./parts/microvm.js";

export const PARTS: Readonly<Record<string, Part>> = { backends, conformance, boot, move, microvm };
export const PART_NAMES: readonly string[] = Object.keys(PARTS);

// Cases that are code, because they call the contract while a guest runs or look at what it refuses.

import type { BackendCapabilities } from "@ringzero/api";
import type { Outcome } from "../case.js";
import type { Feature } from "./features.js";
import type { Stage } from "./stage.js";

export interface ContractCase {
  readonly id: string;
  readonly title: string;
  readonly uses?: readonly Feature[];
  /** Capabilities without which the case is skipped; that they are refused then is a case of its own. */
  readonly needs?: readonly (keyof BackendCapabilities)[];
  readonly vcpus?: number;
  /** @returns why it could not run after all, where only a guest could find out */
  run(stage: Stage): Promise<Outcome | void>;
}

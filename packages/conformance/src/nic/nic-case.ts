// A case of the NIC suite.

import type { Outcome } from "../case.js";
import type { NicStage } from "./nic-stage.js";

export interface NicCase {
  readonly id: string;
  readonly title: string;
  /** Looks at what is at the other end of the cable; skipped without the option `far`. */
  readonly needsFar?: boolean;
  /** @returns why it could not run after all */
  run(stage: NicStage): Promise<Outcome | void>;
}

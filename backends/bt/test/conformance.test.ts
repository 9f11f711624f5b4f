// The translator against the published suite: nothing is left out.

import { BtBackend } from "@ringzero/backend-bt";
import { describeBackend } from "@ringzero/conformance";

describeBackend("bt", () => new BtBackend());

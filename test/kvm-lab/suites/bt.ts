// The published suite on the translator, in the lab.

import { BtBackend } from "@ringzero/backend-bt";
import { describeBackend } from "@ringzero/conformance";

describeBackend("bt", () => new BtBackend());

// The translator against the published suite.

import { BtBackend } from "@ringzero/backend-bt";
import { describeBackend, describeMove } from "@ringzero/conformance";

const create = () => new BtBackend();

describeBackend("bt", create);
describeMove("bt", create, "bt", create);

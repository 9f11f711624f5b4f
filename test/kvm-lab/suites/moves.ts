// The published suite of moves, between both engines, in the lab.

import { BtBackend } from "@ringzero/backend-bt";
import { KvmBackend } from "@ringzero/backend-kvm";
import { describeMove, missingFeatures } from "@ringzero/conformance";
import { LAB_LACKS } from "../lab-lacks.js";

const kvm = () => new KvmBackend();

describeMove("bt", () => new BtBackend(), "kvm", kvm, { without: { ...(await missingFeatures(kvm)), ...LAB_LACKS } });

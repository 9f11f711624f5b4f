// Moves between the two engines against the published suite.

import { BtBackend } from "@ringzero/backend-bt";
import { KvmBackend } from "@ringzero/backend-kvm";
import { describeMove, missingFeatures } from "@ringzero/conformance";

const kvm = () => new KvmBackend();

describeMove("bt", () => new BtBackend(), "kvm", kvm, { without: await missingFeatures(kvm) });

// KVM against the published suite. Where /dev/kvm does not open, every case is skipped and says why.

import { KvmBackend } from "@ringzero/backend-kvm";
import { describeBackend, describeMove, missingFeatures } from "@ringzero/conformance";

const create = () => new KvmBackend();
const without = await missingFeatures(create);

describeBackend("kvm", create, { without });
describeMove("kvm", create, "kvm", create, { without });

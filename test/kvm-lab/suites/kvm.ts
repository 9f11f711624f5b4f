// The published suite on KVM, in the lab.

import { KvmBackend } from "@ringzero/backend-kvm";
import { describeBackend, missingFeatures } from "@ringzero/conformance";
import { LAB_LACKS } from "../lab-lacks.js";

const create = () => new KvmBackend();

describeBackend("kvm", create, { without: { ...(await missingFeatures(create)), ...LAB_LACKS } });

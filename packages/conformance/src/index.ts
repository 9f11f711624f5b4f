// Public entry of @ringzero/conformance.

export { type ConformanceCase, type Outcome, runCases } from "./case.js";
export { describeCases } from "./mocha.js";
export { backendCases, type BackendSuiteOptions, describeBackend } from "./backend/describe-backend.js";
export { missingFeatures } from "./backend/missing-features.js";
export { stateMsr, statePartsOf } from "./backend/state-parts.js";
export { type Feature, FEATURES } from "./backend/features.js";
export { describeMove, moveCases, type MoveSuiteOptions } from "./move/describe-move.js";
export { describeDisk, diskCases } from "./disk/describe-disk.js";
export type { DiskSuiteOptions, MakeDisk } from "./disk/disk-stage.js";
export { describeNic, nicCases } from "./nic/describe-nic.js";
export type { MakeLink, NicSuiteOptions } from "./nic/nic-stage.js";
export { openPlugin } from "./open-context.js";

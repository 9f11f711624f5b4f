// Public entry of @ringzero/conformance.

export { type ConformanceCase, type Outcome, runCases } from "./case.js";
export { describeCases } from "./mocha.js";
export { backendCases, type BackendSuiteOptions, describeBackend } from "./backend/describe-backend.js";
export { type Feature, FEATURES } from "./backend/features.js";

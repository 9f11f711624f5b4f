// Public entry of @ringzero/api: the contract between the SDK, backends, plugins and embedders.
// What must stay true: a file that has types alone is exported as such, so that no thread loads it.

export type * from "./backend.js";
export * from "./block-device.js";
export type * from "./boot-image.js";
export type * from "./device.js";
export * from "./errors.js";
export type * from "./machine-events.js";
export * from "./machine-spec.js";
export type * from "./memory.js";
export * from "./network-link.js";
export * from "./pc-platform.js";
export * from "./plugin.js";
export * from "./size.js";
export type * from "./state.js";
export { checkVmConfig, type VmLimits } from "./vm-config.js";
export { type Static, type TObject, type TOptional, type TSchema, Type } from "./schema.js";

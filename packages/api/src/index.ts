// Public entry of @ringzero/api: the contract between the SDK, backends, plugins and embedders.

export * from "./backend.js";
export * from "./block-device.js";
export * from "./boot-image.js";
export * from "./device.js";
export * from "./errors.js";
export * from "./machine-events.js";
export * from "./machine-spec.js";
export * from "./memory.js";
export * from "./network-link.js";
export * from "./pc-platform.js";
export * from "./plugin.js";
export * from "./size.js";
export * from "./state.js";
export { checkVmConfig, type VmLimits } from "./vm-config.js";
export { type Static, type TObject, type TOptional, type TSchema, Type } from "./schema.js";

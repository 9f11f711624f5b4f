// Public entry of @ringzero/bench: compare backends, ours or a third party's, with each other, with the host and with QEMU.

export { compare, type CompareOptions, type Report, type Row } from "./compare.js";
export type { Contender, Session, SessionResult } from "./contender.js";
export { NativeHost } from "./contenders/native-host.js";
export { QemuTcg } from "./contenders/qemu-tcg.js";
export { RingzeroBackend } from "./contenders/ringzero-backend.js";
export { buildGuestPrograms, parseValues } from "./guest-programs.js";
export { measureOperations, type OperationResult } from "./operations/operations.js";
export { probeFirmware } from "./operations/probe-firmware.js";
export { markdown, textTable } from "./report.js";
export { geometricMean, median } from "./statistics.js";
export { SUITE_NAMES, SUITES, workloadsOf } from "./workloads.js";

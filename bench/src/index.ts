// Public entry of @ringzero/bench: compare backends, ours or a third party's, with each other, with the host and with QEMU.

export { GROUPS, type Probe, selectWorkloads, SUITE_NAMES, type Workload, WORKLOADS } from "./catalogue.js";
export { type Change, changes } from "./changes.js";
export { compare, type CompareOptions } from "./compare.js";
export type { Command, Contender, ContenderKind, Guest } from "./contender.js";
export { NativeHost } from "./contenders/native-host.js";
export { fetchNewestQemu, type FetchQemuOptions } from "./contenders/newest-qemu.js";
export { defaultQemuPrograms, QemuTcg } from "./contenders/qemu-tcg.js";
export { RingzeroBackend, type RingzeroBackendOptions } from "./contenders/ringzero-backend.js";
export {
  type Goal,
  GOALS,
  type GoalResult,
  type GroupMeans,
  groupMeans,
  judge,
  rowsBelow,
  type RowVerdict,
  rowVerdict,
} from "./goals.js";
export { buildGuestPrograms, parseValues } from "./guest-programs.js";
export { measureOperations, type OperationResult } from "./operations/operations.js";
export { probeFirmware } from "./machines/probe-firmware.js";
export { unexplainedRows } from "./performance-docs.js";
export { bestOf, pairedSpeed, slowdown, speedup } from "./ratios.js";
export { Report, REPORT_FORMAT, type ReportData, type Row } from "./report.js";
export { geometricMean, median, spread } from "./statistics.js";

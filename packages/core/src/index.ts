// Public entry of @ringzero/core: make machines, run them, talk to them.

export {
  type BackendReport,
  defineMachine,
  definePlugin,
  type ErrorCode,
  type MachineEvents,
  type MachineExit,
  type MachineSpec,
  type MachineState,
  type Plugin,
  RingzeroError,
  type SpecProblem,
} from "@ringzero/api";
export { isHardwareSpeed } from "./calibration/rank-backends.js";
export { restWhenIdle } from "./host/rest-when-idle.js";
export { Machine, type MoveOptions, type StartOptions } from "./machine/machine.js";
export { SerialConsole } from "./machine/serial-console.js";
export { Ringzero, type MachineOptions, type RingzeroOptions, type ValidationReport } from "./ringzero.js";
export { Teardown } from "./teardown.js";

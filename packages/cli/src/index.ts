// Public entry of @ringzero/cli: the command as a function and its parts, for tools that wrap it.

export { type ConsoleCommand, ESCAPE_HELP, EscapeKeys } from "./console/escape-keys.js";
export { examine } from "./doctor/examine.js";
export type { Finding, FindingLevel } from "./doctor/finding.js";
export type { HostReader } from "./doctor/host-reader.js";
export { describeExit, EXIT_CODE_TEXT, EXIT_CODES, exitCodeOf, type StopCause } from "./exit-codes.js";
export { fetchProgress, type ProgressDisplay } from "./fetch-progress.js";
export { type KernelKind, sniffKernelKind } from "./grammar/kernel-kind.js";
export { type ConsoleTarget, type RequestProblem, type RunRequest, readRunRequest } from "./grammar/machine-request.js";
export { type ParsedPluginSpec, PluginSpecError, parsePluginSpec } from "./grammar/plugin-spec.js";
export { type RawRunOptions, RUN_EXAMPLES, RUN_OPTIONS } from "./grammar/run-options.js";
export { STEP_EXAMPLES, STEP_OPTIONS } from "./grammar/step-options.js";
export { type CliHost, type EndingSignal, processHost } from "./host.js";
export { program, runProgram } from "./program.js";

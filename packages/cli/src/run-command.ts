// `ringzero run`: check everything, then start, join the console, wait for the end, and say how it ended.
// What must stay true: nothing of the machine exists before every check has passed, and everything is put away on every path.

import { type ErrorCode, RingzeroError } from "@ringzero/api";
import type { Ringzero } from "@ringzero/core";
import { type GuestConsole, openConsole } from "./console/guest-console.js";
import type { Diagnostics } from "./diagnostics.js";
import { EventsFile } from "./events-file.js";
import { EXIT_CODES } from "./exit-codes.js";
import { type RequestProblem, type RunRequest, readRunRequest } from "./grammar/machine-request.js";
import type { RawRunOptions } from "./grammar/run-options.js";
import type { CliHost } from "./host.js";
import { RunSession } from "./run-session.js";

/** Errors of `create` and `start` that mean: what was asked for is wrong, and nothing ran. */
const ASKED_WRONGLY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "SPEC_INVALID",
  "SPEC_UNREADABLE",
  "PLUGIN_UNKNOWN",
  "PLUGIN_API_RANGE",
  "PLUGIN_DUPLICATE",
  "PLUGIN_LOAD_FAILED",
  "BUS_OVERLAP",
  "BOOT_FILE_MISSING",
  "BOOT_FILE_UNREADABLE",
  "BOOT_FILE_INVALID",
  "BOOT_FILE_TRUNCATED",
  "BOOT_UNSUPPORTED",
  "BOOT_NO_ROOM",
  "BOOT_COMMAND_LINE",
  "DEVICE_OPTIONS",
]);
const NO_BACKEND: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["BACKEND_UNKNOWN", "BACKEND_UNAVAILABLE", "VM_UNSUPPORTED"]);
const NO_BACKEND_PROBLEMS: ReadonlySet<string> = new Set(["unknown-backend", "backend-unavailable"]);

/** @returns the exit status */
export async function runRunCommand(raw: RawRunOptions, host: CliHost, diagnostics: Diagnostics): Promise<number> {
  const { request, problems: ofOptions, blamedFields } = await readRunRequest(raw);
  diagnostics.json = request.json;
  const rz = host.ringzero();
  // Its worker loads while the request is checked.
  if (!request.dryRun && ofOptions.length === 0) void rz.prepare({ backend: request.backend }).catch(() => undefined);
  try {
    const problems = [...ofOptions, ...(await problemsOfSpec(rz, request, blamedFields))];
    if (problems.length > 0) {
      diagnostics.problems(problems);
      return problems.every(({ code }) => NO_BACKEND_PROBLEMS.has(code)) ? EXIT_CODES.backendUnavailable : EXIT_CODES.notStarted;
    }
    if (request.dryRun) {
      host.stdout.write(`${JSON.stringify(request.spec, null, 2)}\n`);
      return EXIT_CODES.poweredOff;
    }
    return await runMachine(rz, request, host, diagnostics);
  } finally {
    await rz[Symbol.asyncDispose]();
  }
}

async function problemsOfSpec(rz: Ringzero, request: RunRequest, blamedFields: ReadonlySet<string>): Promise<RequestProblem[]> {
  const report = await rz.validate(request.spec, { backend: request.backend });
  return report.problems
    .filter(({ path }) => !blamedFields.has(/^[A-Za-z]*/.exec(path)![0]))
    .map(({ path, code, message }) => ({
      where: NO_BACKEND_PROBLEMS.has(code) ? "--backend" : request.whereIs(path),
      code,
      message,
    }));
}

async function runMachine(rz: Ringzero, request: RunRequest, host: CliHost, diagnostics: Diagnostics): Promise<number> {
  const problems: RequestProblem[] = [];
  const open = <T>(option: string, path: string, make: () => T): T | null => {
    try {
      return make();
    } catch (error) {
      const errno = (error as NodeJS.ErrnoException).code;
      if (errno === undefined) throw error;
      problems.push({
        where: option,
        code: "bad-value",
        message: `${path}: cannot be written (${errno}); name a file in an existing, writable folder`,
      });
      return null;
    }
  };
  let session: RunSession | null = null;
  const events =
    request.eventsPath === null
      ? null
      : open("--events", request.eventsPath, () => new EventsFile(request.eventsPath!, (sentence) => diagnostics.warn(sentence)));
  const console = open<GuestConsole>("--console", request.console.kind === "file" ? request.console.path : "", () =>
    openConsole(request.console, host, {
      leave: () => session?.stop("console"),
      move: () => void session?.move(),
      outputClosed: () => session?.stop("EPIPE"),
      failed: (sentence) => {
        diagnostics.warn(sentence);
        session?.stop("failure");
      },
    }),
  );
  try {
    if (console === null || problems.length > 0) {
      diagnostics.problems(problems);
      return EXIT_CODES.notStarted;
    }
    session = new RunSession(rz, request, { host, diagnostics, events, console });
    return await session.run();
  } catch (error) {
    events?.write("error", {
      code: error instanceof RingzeroError ? error.code : null,
      message: error instanceof Error ? error.message : String(error),
    });
    console?.close();
    diagnostics.rawTerminal = false;
    diagnostics.failure(error);
    const code = error instanceof RingzeroError ? error.code : null;
    if (code !== null && ASKED_WRONGLY.has(code)) return EXIT_CODES.notStarted;
    if (code === "VM_CRASHED") return EXIT_CODES.engineCrashed;
    return code !== null && NO_BACKEND.has(code) ? EXIT_CODES.backendUnavailable : EXIT_CODES.runFailed;
  } finally {
    console?.close();
    events?.close();
  }
}

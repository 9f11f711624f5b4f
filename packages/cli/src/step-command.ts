// `ringzero step`: a machine twice in lockstep, the translator as it ships against itself without optimisations or against the host's
// KVM, until a register differs. What must stay true: nothing depends on the host: no real time, no device that is not in the engine, one processor.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type MachineSpec, parseSize, RingzeroError } from "@ringzero/api";
import { lockstep } from "@ringzero/backend-bt";
import { flattenBootImage, loadBoot } from "@ringzero/boot";
import type { Diagnostics } from "./diagnostics.js";
import { EXIT_CODES } from "./exit-codes.js";
import { type RequestProblem, readRunRequest } from "./grammar/machine-request.js";
import { type RawStepOptions, readStepRequest } from "./grammar/step-options.js";
import type { CliHost } from "./host.js";

const DEFAULT_PROFILE = "x86-64-v2"; // the first that the translator offers

/** @returns the exit status */
export async function runStepCommand(raw: RawStepOptions, host: CliHost, diagnostics: Diagnostics): Promise<number> {
  const { request, problems: ofOptions, blamedFields } = await readRunRequest(raw);
  diagnostics.json = request.json;
  const problems = [...ofOptions];
  const step = readStepRequest(raw, problems);
  const rz = host.ringzero();
  try {
    const report = await rz.validate(request.spec, { backend: "bt" });
    for (const { path, code, message } of report.problems) {
      if (!blamedFields.has(/^[A-Za-z]*/.exec(path)![0])) problems.push({ where: request.whereIs(path), code, message });
    }
  } finally {
    await rz[Symbol.asyncDispose]();
  }
  problems.push(...notInLockstep(request.spec, request.whereIs));
  if (problems.length > 0) {
    diagnostics.problems(problems);
    return EXIT_CODES.notStarted;
  }
  const { spec } = request;
  const folder = await mkdtemp(join(tmpdir(), "ringzero-step-"));
  try {
    const shape = { memoryBytes: parseSize(spec.memory)!, cpus: 1 };
    const script = await flattenBootImage(await loadBoot(spec.boot, shape), shape, folder);
    const result = await lockstep(script, {
      ...(step.input === undefined ? {} : { input: step.input }),
      against: step.against,
      every: step.every,
      instructions: step.instructions,
      output: step.output,
      cpuProfile: spec.cpuProfile ?? DEFAULT_PROFILE,
      stdout: (bytes) => void host.stdout.write(bytes),
      stderr: (bytes) => void host.stderr.write(bytes),
    });
    return {
      same: EXIT_CODES.poweredOff,
      different: EXIT_CODES.runFailed,
      failed: EXIT_CODES.engineCrashed,
      "no-kvm": EXIT_CODES.backendUnavailable,
    }[result];
  } catch (error) {
    diagnostics.failure(error);
    return error instanceof RingzeroError ? EXIT_CODES.notStarted : EXIT_CODES.runFailed;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a specification may have and lockstep may not. */
function notInLockstep(spec: MachineSpec, whereIs: (path: string) => string): RequestProblem[] {
  const problems: RequestProblem[] = [];
  const refuse = (path: string, message: string): void =>
    void problems.push({ where: whereIs(path), code: "VM_UNSUPPORTED", message });
  if ((spec.cpus ?? 1) > 1)
    refuse("cpus", "lockstep takes one processor: the order in which several run is not repeatable; give 1");
  for (const field of ["devices", "disks", "nics"] as const) {
    if ((spec[field] ?? []).length === 0) continue;
    refuse(
      field,
      "lockstep has no devices but those of the engine (interrupt controllers, timers, the first serial port) and a CMOS; remove them",
    );
  }
  if (spec.engine !== undefined && Object.keys(spec.engine).length > 0)
    refuse("engine", "lockstep chooses the engine's tuning by --against and --every; remove it");
  return problems;
}

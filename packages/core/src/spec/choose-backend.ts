// Chooses the engine for a machine. What must stay true: a choice comes with its reason, and so does every refusal.

import type { Backend, BackendPlugin, BackendReport, Clock, SpecProblem } from "@ringzero/api";
import { type Calibration, calibrate } from "../calibration/calibrate.js";
import { isHardwareSpeed, rankBackends } from "../calibration/rank-backends.js";
import { SYSTEM_CLOCK } from "../host/system-clock.js";
import type { PluginRegistry } from "../registry/plugin-registry.js";
import { suggestion } from "./schema-problems.js";

/** What a machine needs of a backend. */
export interface BackendNeeds {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly cpuProfile: string | undefined;
}

export interface BackendChoice {
  readonly report: BackendReport | null;
  /** One sentence. */
  readonly why: string;
  readonly problems: readonly SpecProblem[];
}

/** Asks each backend once, and measures it when somebody needs to know. */
export class BackendProbes {
  readonly #reports = new Map<string, Promise<BackendReport>>();

  /** @param quiet  resolves when nothing of ours is at work that would make an engine look slower than it is */
  constructor(
    readonly registry: PluginRegistry,
    readonly clock: Clock = SYSTEM_CLOCK,
    readonly quiet: () => Promise<unknown> = async () => undefined,
  ) {}

  async of(name: string): Promise<BackendReport | null> {
    const plugin = this.registry.find("backend", name);
    if (!plugin) return null;
    let report = this.#reports.get(name);
    if (!report) this.#reports.set(name, (report = probe(name, () => plugin.create({}))));
    return report;
  }

  all(): Promise<BackendReport[]> {
    return Promise.all(this.registry.all("backend").map(async ({ name }) => (await this.of(name))!));
  }

  /** The same reports with measured speeds. One backend after the other, so that none slows another down. */
  async calibrated(reports: readonly BackendReport[]): Promise<BackendReport[]> {
    const measured: BackendReport[] = [];
    if (reports.length > 0) await this.quiet();
    for (const report of reports) {
      const { instructionsPerSecond, note } = await calibrationOf(
        this.registry.find("backend", report.name)!,
        report,
        this.clock,
      );
      measured.push({ ...report, calibratedInstructionsPerSecond: instructionsPerSecond, calibrationNote: note });
    }
    return measured;
  }
}

/** One measurement a process, whoever asks: the host does not change its mind. */
const calibrations = new WeakMap<BackendPlugin, Promise<Calibration>>();
let lastCalibration: Promise<unknown> = Promise.resolve();

function calibrationOf(plugin: BackendPlugin, report: BackendReport, clock: Clock): Promise<Calibration> {
  let calibration = calibrations.get(plugin);
  if (!calibration) {
    calibration = lastCalibration.then(() => calibrate(plugin.create({}), report, clock));
    lastCalibration = calibration;
    calibrations.set(plugin, calibration);
  }
  return calibration;
}

async function probe(name: string, create: () => Backend): Promise<BackendReport> {
  try {
    return { ...(await create().probe()), name };
  } catch (error) {
    return {
      name,
      available: false,
      reason: `its probe failed: ${error instanceof Error ? error.message : String(error)}`,
      capabilities: {
        maxVcpus: 0,
        maxMemoryBytes: 0,
        cpuProfiles: [],
        saveState: false,
        dirtyLog: false,
        debug: false,
        doorbells: false,
        msi: false,
        memorySharing: false,
      },
      calibratedInstructionsPerSecond: null,
    };
  }
}

/** Measured as far as the choice depends on it: where no hardware is left, and one other, that one's speed does not matter. */
async function measuredToChoose(fit: readonly BackendReport[], probes: BackendProbes): Promise<readonly BackendReport[]> {
  const claims = await probes.calibrated(fit.filter(({ claimsHardware }) => claimsHardware === true));
  const others = fit.filter(({ claimsHardware }) => claimsHardware !== true);
  const hardware = claims.some(({ calibratedInstructionsPerSecond: speed }) => speed !== null && isHardwareSpeed(speed, 0));
  return [...claims, ...(hardware || others.length > 1 ? await probes.calibrated(others) : others)];
}

/** Why a backend cannot run this machine; empty when it can. */
export function misfits(needs: BackendNeeds, { name, capabilities, refusedProfiles }: BackendReport): SpecProblem[] {
  const problems: SpecProblem[] = [];
  const over = (path: string, message: string) => problems.push({ path, code: "over-capability", message });
  if (needs.cpus > capabilities.maxVcpus)
    over("cpus", `backend ${name} runs at most ${capabilities.maxVcpus} processors, not ${needs.cpus}`);
  if (needs.memoryBytes > capabilities.maxMemoryBytes) {
    over(
      "memory",
      `backend ${name} gives a machine at most ${capabilities.maxMemoryBytes} bytes of memory, not ${needs.memoryBytes}`,
    );
  }
  if (needs.cpuProfile !== undefined && !capabilities.cpuProfiles.includes(needs.cpuProfile)) {
    const why = refusedProfiles?.[needs.cpuProfile];
    over(
      "cpuProfile",
      why !== undefined
        ? `backend ${name} cannot give the CPU profile ${needs.cpuProfile}: ${why}; use one of ${capabilities.cpuProfiles.join(", ")}`
        : `backend ${name} has no CPU profile ${needs.cpuProfile}${suggestion(needs.cpuProfile, capabilities.cpuProfiles)}`,
    );
  }
  return problems;
}

/**
 * @param wanted  a backend's name, or "auto": of those that can run the machine here, the one that `rankBackends` puts first. They are
 *                measured for it, unless there is but one, and that one does not claim to be hardware
 */
export async function chooseBackend(wanted: string, needs: BackendNeeds, probes: BackendProbes): Promise<BackendChoice> {
  const { registry } = probes;
  if (wanted !== "auto") {
    const report = await probes.of(wanted);
    if (!report) {
      const names = registry.all("backend").map(({ name }) => name);
      const rejected = registry.rejected.map(({ error }) => `; ${error.message}`).join("");
      const message = `there is no backend ${wanted}${suggestion(wanted, names)}${names.length === 0 ? "; none is installed: add @ringzero/backend-bt to the dependencies" : ""}${rejected}`;
      return { report: null, why: message, problems: [{ path: "", code: "unknown-backend", message }] };
    }
    if (!report.available) {
      const message = `backend ${wanted} does not work here: ${report.reason}`;
      return { report: null, why: message, problems: [{ path: "", code: "backend-unavailable", message }] };
    }
    const problems = misfits(needs, report);
    return { report: problems.length > 0 ? null : report, why: `${wanted} was asked for`, problems };
  }
  const reports = await probes.all();
  const available = reports.filter((report) => report.available);
  const fit = available.filter((report) => misfits(needs, report).length === 0);
  const alone = fit.length === 1 && fit[0]!.claimsHardware !== true;
  const { ranked, ground, out } = alone
    ? { ranked: fit, ground: "the only one that can run this machine here", out: [] }
    : rankBackends(await measuredToChoose(fit, probes));
  const best = ranked[0];
  const against = [
    ...out,
    ...reports
      .filter((report) => !fit.includes(report))
      .map((report) => `${report.name}: ${report.available ? misfits(needs, report)[0]!.message : report.reason}`),
  ];
  if (best) return { report: best, why: [`${best.name}: ${ground}`, ...against].join("; "), problems: [] };
  if (available.length === 1 && fit.length === 0) {
    const problems = misfits(needs, available[0]!);
    return { report: null, why: problems[0]!.message, problems };
  }
  const none =
    reports.length === 0
      ? [
          "none is installed: add @ringzero/backend-bt to the dependencies",
          ...registry.rejected.map(({ error }) => error.message),
        ]
      : against;
  const message = `no backend can run this machine here: ${none.join("; ")}`;
  return { report: null, why: message, problems: [{ path: "", code: "backend-unavailable", message }] };
}

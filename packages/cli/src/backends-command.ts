// `ringzero backends`: which engines there are, whether each works on this host, and how fast it runs ring 0 here.

import { type BackendReport, formatSize } from "@ringzero/api";
import type { Diagnostics } from "./diagnostics.js";
import { EXIT_CODES } from "./exit-codes.js";
import type { CliHost } from "./host.js";

/** @returns the exit status: 0 when at least one works here */
export async function runBackendsCommand(
  options: { readonly json: boolean },
  host: CliHost,
  diagnostics: Diagnostics,
): Promise<number> {
  const rz = host.ringzero();
  try {
    const reports = await rz.backends({ calibrate: true });
    if (options.json) host.stdout.write(`${JSON.stringify(reports, null, 2)}\n`);
    else {
      for (const report of reports) host.stdout.write(described(report));
    }
    if (reports.length === 0) diagnostics.say("no backend is installed");
    return reports.some(({ available }) => available) ? EXIT_CODES.poweredOff : EXIT_CODES.backendUnavailable;
  } finally {
    await rz[Symbol.asyncDispose]();
  }
}

function described(report: BackendReport): string {
  const { name, available, reason, capabilities, calibratedInstructionsPerSecond: speed, calibrationNote } = report;
  const lines = [`${name.padEnd(8)}${available ? "available    " : "not available"}  ${reason}`];
  if (available) {
    const { maxVcpus, maxMemoryBytes, cpuProfiles } = capabilities;
    const claims = CLAIMS.filter(([key]) => capabilities[key]).map(([, text]) => text);
    const refused = Object.entries(report.refusedProfiles ?? {}).map(([profile, why]) => `no ${profile}: ${why}`);
    lines.push(
      `up to ${maxVcpus} vCPU${maxVcpus === 1 ? "" : "s"}, ${formatSize(maxMemoryBytes)} of memory; CPU profiles ${cpuProfiles.join(", ")}`,
      ...refused,
      `can: ${claims.length > 0 ? claims.join(", ") : "none of the optional capabilities"}`,
      speed === null
        ? `ring 0: ${calibrationNote ?? "not measured"}`
        : `ring 0: ${(speed / 1e6).toFixed(speed < 1e7 ? 1 : 0)} million guest instructions per second (${calibrationNote ?? "measured"})`,
    );
  }
  return lines.map((line, i) => `${i === 0 ? "" : " ".repeat(8)}${line}\n`).join("");
}

/** Capabilities that are there or not, in words. */
const CLAIMS = [
  ["saveState", "save and load state"],
  ["memorySharing", "move without a copy"],
  ["dirtyLog", "dirty log"],
  ["debug", "debug exits"],
  ["doorbells", "doorbells"],
  ["msi", "MSI"],
] as const;

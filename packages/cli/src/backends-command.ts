// `ringzero backends`: which engines there are, and whether each works on this host.

import { formatSize } from "@ringzero/api";
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
    const reports = await rz.backends();
    if (options.json) host.stdout.write(`${JSON.stringify(reports, null, 2)}\n`);
    else {
      for (const { name, available, reason, capabilities, calibratedInstructionsPerSecond: speed } of reports) {
        host.stdout.write(`${name.padEnd(8)}${available ? "available    " : "not available"}  ${reason}\n`);
        if (!available) continue;
        const { maxVcpus, maxMemoryBytes, cpuProfiles } = capabilities;
        host.stdout.write(
          `${" ".repeat(8)}up to ${maxVcpus} vCPU${maxVcpus === 1 ? "" : "s"}, ${formatSize(maxMemoryBytes)} of memory; CPU profiles ${cpuProfiles.join(", ")}\n`,
        );
        if (speed !== null)
          host.stdout.write(
            `${" ".repeat(8)}measured ${(speed / 1e6).toFixed(0)} million guest instructions per second in ring 0\n`,
          );
      }
    }
    if (reports.length === 0) diagnostics.say("no backend is installed");
    return reports.some(({ available }) => available) ? EXIT_CODES.poweredOff : EXIT_CODES.backendUnavailable;
  } finally {
    await rz[Symbol.asyncDispose]();
  }
}

// `ringzero doctor`: what is missing on this host, and how to mend it.

import { EXIT_CODES } from "../exit-codes.js";
import type { CliHost } from "../host.js";
import { examine } from "./examine.js";
import type { Finding, FindingLevel } from "./finding.js";
import { hostReader, type HostReader } from "./host-reader.js";

const WORDS: Readonly<Record<FindingLevel, string>> = { ok: "ok", note: "note", trouble: "TROUBLE" };
const INDENT = 9;

/** @returns the exit status: 0 when machines can run here, by at least one backend */
export async function runDoctorCommand(
  options: { readonly json: boolean },
  host: CliHost,
  reader: HostReader = hostReader(),
): Promise<number> {
  const rz = host.ringzero();
  try {
    const reports = await rz.backends({ calibrate: true });
    const findings = examine(reader, reports);
    const machinesRun = reports.some(({ available }) => available);
    if (options.json) host.stdout.write(`${JSON.stringify({ machinesRun, findings }, null, 2)}\n`);
    else host.stdout.write(findings.map(shown).join("") + `\n${summary(findings, machinesRun)}\n`);
    return machinesRun ? EXIT_CODES.poweredOff : EXIT_CODES.backendUnavailable;
  } finally {
    await rz[Symbol.asyncDispose]();
  }
}

function shown({ level, says, remedy }: Finding): string {
  const lines = [`${WORDS[level].padEnd(INDENT)}${says}`];
  if (remedy !== null) lines.push(`${" ".repeat(INDENT)}-> ${remedy}`);
  return `${lines.join("\n")}\n`;
}

function summary(findings: readonly Finding[], machinesRun: boolean): string {
  const count = (wanted: FindingLevel) => findings.filter(({ level }) => level === wanted).length;
  const rest = `${count("trouble")} in trouble, ${count("note")} to note`;
  return machinesRun ? `Machines run on this host; ${rest}.` : `No machine can run on this host; ${rest}.`;
}

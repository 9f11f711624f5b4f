// All checks of the doctor, in the order in which they are read. Pure: facts in, findings out.

import type { BackendReport } from "@ringzero/api";
import { type Finding, note, ok, trouble } from "./finding.js";
import {
  checkHugePages,
  checkLimits,
  checkMemory,
  checkNode,
  checkPlatform,
  checkProcessors,
  checkPrograms,
  checkSeccomp,
} from "./host-checks.js";
import type { HostReader } from "./host-reader.js";
import { checkKvmDevice, checkNested, checkProcessor, checkRing0 } from "./virtualization-checks.js";

/**
 * Whether a backend works. One that does not is trouble only if no other does: a machine needs but one.
 * @param others  all other reports
 */
export function checkBackend(report: BackendReport, others: readonly BackendReport[]): Finding {
  const check = `backend-${report.name}`;
  if (report.available) return ok(check, `backend ${report.name} works: ${report.reason}`);
  const says = `backend ${report.name} does not work here: ${report.reason}`;
  const remedy = remedyFor(report.reason);
  return others.some(({ available }) => available)
    ? note(check, says, remedy)
    : trouble(check, says, remedy ?? "follow the reason given; the other checks say more of this host");
}

/** What a reason does not say by itself. */
function remedyFor(reason: string): string | null {
  if (/\bspawn\b.*\bEACCES\b/.test(reason))
    return "the engine program may not be executed: chmod +x it, and see that its file system is not mounted noexec";
  if (/\bspawn\b.*\b(EAGAIN|ENOMEM|EMFILE)\b/.test(reason))
    return "the host starts no further process: see ulimit -u and ulimit -n, pids.max of the control group, and free memory";
  if (/\bspawn\b.*\bENOENT\b/.test(reason))
    return "the engine program is missing: install the package anew, or in a checkout run npm run setup";
  return null;
}

/** @param reports  of all known backends, calibrated */
export function examine(host: HostReader, reports: readonly BackendReport[]): Finding[] {
  const others = (report: BackendReport) => reports.filter((other) => other !== report);
  const findings = [
    checkPlatform(host),
    checkNode(host),
    ...(reports.length === 0
      ? [trouble("backends", "no backend is installed", "add @ringzero/backend-bt to the dependencies")]
      : reports.map((report) => checkBackend(report, others(report)))),
    checkProcessor(host),
    checkKvmDevice(host),
    ...reports.map((report) => checkRing0(report, others(report))),
    checkNested(host),
    checkMemory(host),
    checkHugePages(host),
    ...checkLimits(host),
    checkProcessors(host),
    checkSeccomp(host),
    ...checkPrograms(host),
  ];
  return findings.filter((finding) => finding !== null);
}

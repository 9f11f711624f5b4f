// What a backend lacks on this host that only a guest can find out. A kernel that runs ring 0 in its instruction emulator instead of in
// hardware answers every call, and has no x87 and no SSE there.

import type { Backend } from "@ringzero/api";
import type { BackendSuiteOptions } from "./describe-backend.js";
import { program } from "./program.js";
import { Stage } from "./stage.js";

const FLOATING = program(16, "fninit\n fldpi\n fstp st(0)\n done");

/**
 * For the option `without` of a suite. Nothing is missing where the backend is not available: its cases are skipped anyway.
 * @param create  makes the backend
 */
export async function missingFeatures(create: () => Backend): Promise<NonNullable<BackendSuiteOptions["without"]>> {
  const backend = create();
  const report = await backend.probe();
  if (!report.available) return {};
  const stage = new Stage(backend, report);
  try {
    const actor = await stage.load(FLOATING);
    actor.vm.run();
    await stage.finish(actor);
    await stage.close();
    return {};
  } catch (error) {
    await stage.close().catch(() => undefined); // the crash again
    if (error instanceof Error && error.message.includes("does not emulate")) {
      const emulator = `this host runs ring 0 of the ${report.name} backend in an instruction emulator`;
      return { fpu: `${emulator} that has no x87 and SSE`, profiles: `${emulator} with a CPUID of its own` };
    }
    return {}; // whatever it is, the cases show it
  }
}

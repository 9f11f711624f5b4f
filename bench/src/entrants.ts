// Who takes part in a comparison, and who would but cannot.

import type { CompareOptions } from "./compare.js";
import type { Contender } from "./contender.js";
import { NativeHost } from "./contenders/native-host.js";
import { defaultQemuPrograms, QemuTcg } from "./contenders/qemu-tcg.js";
import { RingzeroBackend } from "./contenders/ringzero-backend.js";

export interface Entrants {
  /** In the order of the columns. */
  readonly taking: readonly { readonly contender: Contender; readonly what: string }[];
  /** Names of the others, with why. */
  readonly absent: Readonly<Record<string, string>>;
}

/** @throws RangeError for a backend that nobody knows */
export async function findEntrants(options: CompareOptions): Promise<Entrants> {
  const { from, qemu = true } = options;
  const programs = qemu === true ? await defaultQemuPrograms() : qemu === false ? [] : qemu;
  const wanted: Contender[] = [
    ...((options.native ?? true) ? [new NativeHost()] : []),
    ...(options.backends ?? ["bt"]).map((backend) => new RingzeroBackend(backend, { from })),
    ...(options.checkouts ?? []).map((checkout) => new RingzeroBackend("bt", { from, checkout })),
    ...(await Promise.all(programs.map((program) => QemuTcg.find(program)))),
  ];
  const taking: { contender: Contender; what: string }[] = [];
  const absent: Record<string, string> = {};
  for (const contender of wanted) {
    if (taking.some((other) => other.contender.name === contender.name)) continue; // the same version of QEMU twice
    const why = await contender.unavailable();
    if (why === null) taking.push({ contender, what: await contender.describe() });
    else absent[contender.name] = why;
  }
  return { taking, absent };
}

// A named CPU profile is the same processor on both backends: a guest that looked at CPUID where it began finds the same where it goes.

import assert from "node:assert/strict";
import { program } from "../../backend/program.js";
import { skipped } from "../../case.js";
import type { MoveCase } from "../move-case.js";

const TABLE_AT = 0x20000;
const SUBLEAVES = 10;
/** First leaf, and how many: up to one that does not exist. */
const RANGES = [
  [0, 0x20],
  [0x40000000, 0x12],
  [0x80000000, 0x23],
] as const;
/** Rates of the time-stamp counter: each backend tells what it measured, and moves check that they agree closely enough. */
const RATES: readonly number[] = [0x15, 0x16, 0x40000010];

/** Writes every leaf of RANGES, ten subleaves of each, to TABLE_AT. */
const READS_CPUID = program(
  16,
  `
      mov ax, ${TABLE_AT / 16}
      mov es, ax
      xor di, di
      cld
      xor ebp, ebp
leaf: xor esi, esi
next: mov eax, ebp
      mov ecx, esi
      cpuid
      stosd
      mov eax, ebx
      stosd
      mov eax, ecx
      stosd
      mov eax, edx
      stosd
      inc esi
      cmp esi, ${SUBLEAVES}
      jb next
      inc ebp
      cmp ebp, ${RANGES[0][1]}
      jne basic
      mov ebp, ${RANGES[1][0]}
basic: cmp ebp, ${RANGES[1][0] + RANGES[1][1]}
      jne known
      mov ebp, ${RANGES[2][0]}
known: cmp ebp, ${RANGES[2][0] + RANGES[2][1]}
      jne leaf
      done`,
);
const LEAVES = RANGES.flatMap(([first, count]) => Array.from({ length: count }, (_, i) => first + i));

/** What a guest read, a line each, without what may differ. */
function lines(table: Uint8Array): readonly string[] {
  const view = new DataView(table.buffer, table.byteOffset);
  return LEAVES.flatMap((leaf, l) =>
    RATES.includes(leaf)
      ? []
      : Array.from({ length: SUBLEAVES }, (_, subleaf) => {
          const at = (l * SUBLEAVES + subleaf) * 16;
          const registers = [0, 4, 8, 12].map((offset) => view.getUint32(at + offset, true).toString(16));
          return `${leaf.toString(16)}h.${subleaf}: ${registers.join(" ")}`;
        }),
  );
}

export const PROCESSOR_CASES: readonly MoveCase[] = [
  {
    id: "move/cpuid",
    title: "a guest reads the same of CPUID on both, with each profile that both have by name, and with two processors",
    uses: ["guest-code", "cpuid", "profiles"],
    async run(stage) {
      const named = stage.cpuProfiles.filter((profile) => profile !== "host");
      if (named.length === 0) return skipped("a CPU profile by name that both backends have");
      const most = Math.min(stage.from.report.capabilities.maxVcpus, stage.to.report.capabilities.maxVcpus, 2);
      for (const cpuProfile of named) {
        for (let vcpus = 1; vcpus <= most; vcpus += 1) {
          const seen: (readonly string[])[] = [];
          for (const side of [stage.from, stage.to]) {
            const actor = await side.load(READS_CPUID, { cpuProfile, vcpus });
            actor.vm.run();
            await side.finish(actor);
            seen.push(lines(actor.vm.memory.read(TABLE_AT, LEAVES.length * SUBLEAVES * 16)));
            await actor.vm.dispose();
          }
          assert.deepEqual(seen[1], seen[0], `${cpuProfile} with ${vcpus} vCPUs`);
        }
      }
      return undefined;
    },
  },
];

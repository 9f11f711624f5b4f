// XSAVE state beyond SSE: what XGETBV and XSETBV do, and YMM registers over exits and pauses. The first CPU profile with AVX is taken; its
// guest says what it finds, because no capability does.

import assert from "node:assert/strict";
import { type Outcome, skipped } from "../../case.js";
import type { ContractCase } from "../contract-case.js";
import { program } from "../program.js";
import type { Actor, Stage } from "../stage.js";
import { DATA_AT } from "../start-state.js";

/** Writes 1 to port 81h when there is no AVX and ends; sets CR4.OSXSAVE and XCR0, and goes on. */
export const AVX_SETUP = `
      mov eax, 1
      xor ecx, ecx
      cpuid
      and ecx, 0x14000000     # XSAVE, AVX
      cmp ecx, 0x14000000
      je have
      mov al, 1
      out 0x81, al
      done
have: mov rax, cr4
      or rax, 0x40000
      mov cr4, rax
      xor ecx, ecx
      mov eax, 7
      xor edx, edx
      xsetbv`;

const YMM = program(
  64,
  `${AVX_SETUP}
      mov eax, 0x01020304
      movd xmm3, eax
      vpshufd xmm3, xmm3, 0
      vinsertf128 ymm3, ymm3, xmm3, 1
      mov eax, 0x55667788
      movd xmm15, eax
      vpshufd xmm15, xmm15, 0
      vinsertf128 ymm15, ymm15, xmm15, 1
      vxorps xmm4, xmm4, xmm4
      in al, 0x80
      vmovups [0x4000], ymm3
      vmovups [0x4020], ymm15
      vmovups [0x4040], ymm4
      xor ecx, ecx
      xgetbv
      mov [0x4060], eax
      done`,
);

/** #GP for a value of XCR0 without x87, which no processor takes. */
const BAD_XCR0 = program(
  64,
  `${AVX_SETUP}
      lea rax, [rip + handler]
      mov edi, 0x7a00 + 13 * 16
      mov [rdi], ax
      mov word ptr [rdi + 2], 0x18
      mov word ptr [rdi + 4], 0x8e00
      mov word ptr [rdi + 6], 0
      mov qword ptr [rdi + 8], 0
      xor ecx, ecx
      mov eax, 6
      xor edx, edx
      xsetbv
      ud2
handler:
      pop rbx
      xor ecx, ecx
      xgetbv
      mov [0x4000], eax
      done`,
);

/** A machine of the first profile whose guest finds AVX; what it does not have is said. `started` runs. */
export async function withAvx(
  stage: Stage,
  started: (cpuProfile: string) => Promise<Actor>,
  profiles = stage.report.capabilities.cpuProfiles,
): Promise<Actor | Outcome> {
  for (const cpuProfile of profiles) {
    const actor = await started(cpuProfile);
    await stage.until(() => actor.exits.length > 0 || actor.done.size > 0, "the guest looked for AVX", actor);
    const lacks = actor.exits[0]?.kind === "port-out" && actor.exits[0].port === 0x81;
    if (!lacks) return actor;
    await actor.vm.dispose();
  }
  return skipped(`no CPU profile of the backend has AVX here: ${profiles.join(", ")}`);
}

export const VECTOR_CASES: readonly ContractCase[] = [
  {
    id: "vectors/ymm",
    title: "keeps both halves of YMM registers over exits, and reports XCR0 as it was set",
    uses: ["guest-code", "long-mode", "fpu", "avx", "cpuid"],
    async run(stage) {
      const found = await withAvx(stage, async (cpuProfile) => {
        const actor = await stage.load(YMM, { cpuProfile }, () => 0);
        actor.vm.run();
        return actor;
      });
      if ("kind" in found) return found;
      await stage.finish(found);
      const words = new Uint32Array(found.vm.memory.read(DATA_AT, 0x64).slice().buffer);
      const expected = [...new Array(8).fill(0x01020304), ...new Array(8).fill(0x55667788), ...new Array(8).fill(0), 7];
      assert.deepEqual([...words], expected);
      return undefined;
    },
  },
  {
    id: "vectors/bad-xcr0",
    title: "raises #GP for a value of XCR0 that no processor takes, and keeps the one that was",
    uses: ["guest-code", "long-mode", "fpu", "avx", "cpuid", "exceptions"],
    async run(stage) {
      const found = await withAvx(stage, async (cpuProfile) => {
        const actor = await stage.load(BAD_XCR0, { cpuProfile });
        actor.vm.run();
        return actor;
      });
      if ("kind" in found) return found;
      await stage.finish(found);
      assert.deepEqual([...found.vm.memory.read(DATA_AT, 4)], [7, 0, 0, 0]);
      return undefined;
    },
  },
];

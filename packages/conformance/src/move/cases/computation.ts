// A guest that computes moves again and again, wherever it just is: nothing that it computes may be lost or done twice.

import assert from "node:assert/strict";
import { assertUnbroken, COMPUTING as FLOATING } from "../../backend/contract/state.js";
import { AVX_SETUP, withAvx } from "../../backend/contract/vectors.js";
import { type GuestProgram, program } from "../../backend/program.js";
import type { Actor } from "../../backend/stage.js";
import { BIG_ES } from "../../backend/start-state.js";
import { skipped } from "../../case.js";
import { sleep } from "../../waiting.js";
import type { MoveCase } from "../move-case.js";
import type { MoveStage } from "../move-stage.js";

const MOVES = 40;

/** Says 1, 2, 3 … at port 80h as words of 32 bits, and checks a sum in memory and flags over a loop in between. */
const REAL_MODE = program(
  16,
  `
      xor ebx, ebx
      xor ebp, ebp
      mov dword ptr [0x4000], 0
again: inc ebx
      add ebp, ebx
      add [0x4000], ebx
      mov eax, ebx
      out 0x80, eax
      mov cx, 300
      stc
loop1: dec cx
      jnz loop1
      jnc bad                 # DEC leaves CF alone
      cmp ebp, [0x4000]
      je again
bad:  done`,
);
const LONG_MODE = program(
  64,
  `
      xor ebx, ebx
      xor r15, r15
      mov qword ptr [0x4000], 0
again: inc ebx
      add r15, rbx
      add [0x4000], rbx
      mov eax, ebx
      out 0x80, eax
      mov r9d, 300
loop1: dec r9d
      jnz loop1
      cmp r15, [0x4000]
      je again
      done`,
);
/** Two vCPUs that count each in memory of their own: vCPU 0 says its counts. The other is started through 2000h. */
const TWO = program(
  16,
  `
      jmp start
      .org 0x10
other: xor ax, ax
      mov ds, ax
      xor ebx, ebx
count: inc ebx
      mov [0x4004], ebx
      cmp ebx, [0x4004]
      je count
      done
start:
      mov edi, 0xfee00000
      mov dword ptr es:[edi + 0xf0], 0x1ff
      mov dword ptr es:[edi + 0x310], 0x1000000
      mov dword ptr es:[edi + 0x300], 0x4500      # INIT
idle: test dword ptr es:[edi + 0x300], 0x1000
      jnz idle
      mov dword ptr es:[edi + 0x300], 0x4602      # start at 2000h
      xor ebx, ebx
again: inc ebx
      mov eax, ebx
      out 0x80, eax
      mov cx, 300
      loop .
      jmp again`,
);
const AVX = program(
  64,
  `${AVX_SETUP}
      mov eax, 0x01020304
      movd xmm3, eax
      vpshufd xmm3, xmm3, 0
      vinsertf128 ymm3, ymm3, xmm3, 1
      xor ebx, ebx
again: inc ebx
      mov eax, ebx
      out 0x80, eax
      mov ecx, 300
      loop .
      vextractf128 xmm4, ymm3, 1
      movd edx, xmm4
      cmp edx, 0x01020304
      jne bad
      movd edx, xmm3
      cmp edx, 0x01020304
      je again
bad:  done`,
);
/** Reads its time-stamp counter for ever; done when it went back. */
const TIME = program(
  16,
  `
      rdtsc
again: mov ebx, eax
      mov ecx, edx
      mov al, 1
      out 0x80, al
      rdtsc
      cmp edx, ecx
      ja again
      jb back
      cmp eax, ebx
      jae again
back: done`,
);

/**
 * Reads a clock of KVM's kind the slow way: its version, the time-stamp counter, a while later the stamp to compare it with, then the
 * version again. A structure that another engine writes meanwhile must be seen to be another; else the difference is below zero: done.
 * Source: Linux, "KVM-specific MSRs", MSR_KVM_SYSTEM_TIME_NEW. Without such a clock it writes to port 81h.
 */
const PARAVIRTUAL_CLOCK = program(
  16,
  `
      mov eax, 0x40000000
      cpuid
      cmp ebx, 0x4b4d564b           # "KVMK"
      jne none
      mov eax, 0x40000001
      cpuid
      test eax, 8
      jz none
      mov ecx, 0x4b564d01
      mov eax, 0x5001               # at 5000h, enabled
      xor edx, edx
      wrmsr
read: mov ebp, [0x5000]
      test ebp, 1
      jnz read
      rdtsc
      mov esi, eax
      mov edi, edx
      out 0x80, al
      mov cx, 300
      loop .
      sub esi, [0x5008]
      sbb edi, [0x500c]
      cmp ebp, [0x5000]
      jne read
      test edi, edi
      jns read
      done
none: out 0x81, al
      hlt`,
);

/** Let a running guest move to and fro, at moments that differ; it must not have ended. @returns what it was on, one after the other */
async function wander(stage: MoveStage, first: Actor, more = {}, moves = MOVES): Promise<readonly Actor[]> {
  const actors = [first];
  for (let round = 0; round < moves; round += 1) {
    const from = actors[actors.length - 1]!;
    await stage.from.until(() => from.exits.length > round % 3 || from.done.size > 0, "the guest went on", from);
    assert.equal(from.done.size, 0, "the guest found that something is not as it was");
    if (round % 4 === 3) await sleep(1);
    await from.vm.pause();
    const next = await stage.move(from, round % 2 === 0 ? stage.to : stage.from, more);
    next.vm.run();
    actors.push(next);
  }
  const last = actors[actors.length - 1]!;
  await stage.from.until(() => last.exits.length > 3, "the guest went on after the last move", last);
  await last.vm.pause();
  for (const { done } of actors) assert.equal(done.size, 0, "the guest found that something is not as it was");
  return actors;
}

async function counts(stage: MoveStage, guest: GuestProgram): Promise<void> {
  const actor = await stage.load(guest);
  actor.vm.run();
  assertUnbroken(await wander(stage, actor));
}

export const COMPUTATION_CASES: readonly MoveCase[] = [
  {
    id: "move/real-mode",
    title: `a guest in real mode moves ${MOVES} times to and fro, and counts on`,
    uses: ["guest-code"],
    run: (stage) => counts(stage, REAL_MODE),
  },
  {
    id: "move/long-mode",
    title: `a guest in 64-bit mode moves ${MOVES} times to and fro, and counts on`,
    uses: ["guest-code", "long-mode"],
    run: (stage) => counts(stage, LONG_MODE),
  },
  {
    id: "move/sse",
    title: "x87 and SSE registers come along",
    uses: ["guest-code", "long-mode", "fpu"],
    run: (stage) => counts(stage, FLOATING),
  },
  {
    id: "move/avx",
    title: "both halves of YMM registers come along",
    uses: ["guest-code", "long-mode", "fpu", "avx", "cpuid"],
    async run(stage) {
      let profile = "";
      const found = await withAvx(
        stage.from,
        async (cpuProfile) => {
          profile = cpuProfile;
          const actor = await stage.load(AVX, { cpuProfile });
          actor.vm.run();
          return actor;
        },
        stage.cpuProfiles,
      );
      if ("kind" in found) return found;
      assertUnbroken(await wander(stage, found, { cpuProfile: profile }));
      return undefined;
    },
  },
  {
    id: "move/two-vcpus",
    title: "two vCPUs move together, and both count on",
    uses: ["guest-code", "apic"],
    vcpus: 2,
    async run(stage) {
      const more = { vcpus: 2 };
      const actor = await stage.load(TWO, more);
      const { vm } = actor;
      await vm.vcpus[0]!.setRegisters(BIG_ES);
      vm.memory.write(0x2000, Uint8Array.of(0xea, 0x10, 0x10, 0, 0)); // where the start-up IPI leads: jmp 0:1010h
      const second = ({ memory } = vm): number => new DataView(memory.read(0x4004, 4).slice().buffer).getUint32(0, true);
      vm.run();
      await stage.from.until(() => second() > 0, "the second vCPU counted", actor);
      const before = second();
      const actors = await wander(stage, actor, more, 20);
      assertUnbroken(actors);
      assert.ok(second(actors[actors.length - 1]!.vm) > before, "the second vCPU counted on");
    },
  },
  {
    id: "move/time",
    title: "the time-stamp counter does not go back",
    uses: ["guest-code"],
    async run(stage) {
      const actor = await stage.load(TIME);
      actor.vm.run();
      await wander(stage, actor);
    },
  },
  {
    id: "move/paravirtual-clock",
    title: "a guest that moves while it reads the paravirtual clock sees that the clock was written anew",
    uses: ["guest-code", "cpuid"],
    async run(stage) {
      const actor = await stage.load(PARAVIRTUAL_CLOCK);
      actor.vm.run();
      await stage.from.until(() => actor.exits.length > 0, "the guest looked for the clock", actor);
      const [first] = actor.exits;
      if (first?.kind === "port-out" && first.port === 0x81) return skipped("a paravirtual clock of KVM's kind");
      await wander(stage, actor);
      return undefined;
    },
  },
];

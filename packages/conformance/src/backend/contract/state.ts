// The saved state: a guest goes on in another VM at the instruction where it was, and what is no state is refused whole.

import assert from "node:assert/strict";
import type { VmConfig } from "@ringzero/api";
import type { ContractCase } from "../contract-case.js";
import { program } from "../program.js";
import { SPINNING } from "./life.js";
import { type Actor, place, type Stage } from "../stage.js";
import { stateMsr } from "../state-parts.js";
import { DATA_AT, MEMORY } from "../start-state.js";

const UNSUPPORTED = { code: "VM_UNSUPPORTED" };
const ROUNDS = 25;
const IA32_TIME_STAMP_COUNTER = 0x10;

/** Counts in registers of every kind, says each count at port 80h, and keeps an x87 and an SSE register alive. */
export const COMPUTING = program(
  64,
  `
      fninit
      fldpi
      mov eax, 0x01020304
      movd xmm15, eax
      xor ebx, ebx
      mov r15, -1
again:
      inc ebx
      add r15, rbx
      mov eax, ebx
      out 0x80, eax
      mov ecx, 500
      loop .
      movd edx, xmm15
      cmp edx, 0x01020304
      jne bad
      jmp again
bad:  ud2`,
);

/** Memory of one VM into another of the same shape: for state without shared memory. */
function copyMemory(from: Actor, to: Actor): void {
  for (const { at, sizeBytes } of MEMORY) to.vm.memory.write(at, from.vm.memory.view(at, sizeBytes));
}

async function computing(stage: Stage): Promise<Actor> {
  const actor = await stage.load(COMPUTING);
  actor.vm.run();
  await stage.until(() => actor.exits.length > 5, "the guest computed", actor);
  await actor.vm.pause();
  return actor;
}

/** The counts that a guest said, over all the VMs that it lived in, are 1, 2, 3 … */
export function assertUnbroken(actors: readonly Actor[]): void {
  const counts = actors.flatMap(({ exits }) => exits.map((exit) => (exit.kind === "port-out" ? exit.value : -1)));
  assert.deepEqual(
    counts,
    counts.map((_, i) => i + 1),
  );
}

export const STATE_CASES: readonly ContractCase[] = [
  {
    id: "state/go-on",
    title: "saves a computing guest, which goes on in another VM at the same instruction, many times",
    uses: ["guest-code", "long-mode", "fpu"],
    needs: ["saveState"],
    async run(stage) {
      const actors = [await computing(stage)];
      for (let round = 0; round < ROUNDS; round += 1) {
        const from = actors[actors.length - 1]!;
        const to = await stage.open();
        copyMemory(from, to);
        const registers = await from.vm.vcpus[0]!.getRegisters();
        await to.vm.loadState(await from.vm.saveState());
        assert.deepEqual(await to.vm.vcpus[0]!.getRegisters(), registers);
        await from.vm.dispose();
        to.vm.run();
        await stage.until(() => to.exits.length > round % 3, "the guest went on", to);
        await to.vm.pause();
        actors.push(to);
      }
      assertUnbroken(actors);
    },
  },
  {
    id: "state/shared-memory",
    title: "goes on in another VM over the same memory, without a copy",
    uses: ["guest-code", "long-mode", "fpu"],
    needs: ["saveState", "memorySharing"],
    async run(stage) {
      const from = await computing(stage);
      const to = await stage.open({ memoryFd: from.vm.shareMemory() });
      from.vm.memory.write(DATA_AT, Uint8Array.of(1, 2, 3));
      assert.deepEqual([...to.vm.memory.read(DATA_AT, 3)], [1, 2, 3]);
      await to.vm.loadState(await from.vm.saveState());
      await from.vm.dispose({ keepMemory: true });
      assert.deepEqual([...to.vm.memory.read(DATA_AT, 3)], [1, 2, 3]);
      to.vm.run();
      await stage.until(() => to.exits.length > 3, "the guest went on", to);
      await to.vm.pause();
      assertUnbroken([from, to]);
    },
  },
  {
    id: "state/identity",
    title: "loads what it saved, and saves the same registers, FPU and memory again",
    uses: ["guest-code", "long-mode", "fpu"],
    needs: ["saveState"],
    async run(stage) {
      const actor = await computing(stage);
      const { vm } = actor;
      const state = await vm.saveState();
      const registers = await vm.vcpus[0]!.getRegisters();
      await vm.reset();
      await vm.loadState(state);
      assert.deepEqual(await vm.vcpus[0]!.getRegisters(), registers);
      const pi = Buffer.from([0x35, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0x00, 0x40]);
      assert.ok(Buffer.from(await vm.saveState()).includes(pi), "the x87 register came back");
      const before = actor.exits.length;
      vm.run();
      await stage.until(() => actor.exits.length > before + 3, "the guest went on", actor);
      await vm.pause();
      assertUnbroken([actor]);
    },
  },
  {
    id: "state/tsc-distance",
    title: "keeps the distance of two processors' time-stamp counters, however often the state is saved and loaded",
    uses: ["guest-code"], // an engine whose state is the common format
    vcpus: 2,
    needs: ["saveState"],
    async run(stage) {
      const { vm } = await stage.open({ vcpus: 2 });
      const distance = (state: Uint8Array): bigint =>
        BigInt.asIntN(64, stateMsr(state, 1, IA32_TIME_STAMP_COUNTER).get() - stateMsr(state, 0, IA32_TIME_STAMP_COUNTER).get());
      let state = await vm.saveState();
      const apart = stateMsr(state, 1, IA32_TIME_STAMP_COUNTER);
      apart.set(apart.get() + 5_000_000_000n);
      await vm.loadState(state);
      state = await vm.saveState();
      const first = distance(state); // what was asked for, or 0 where an engine's counters are all one
      for (let round = 0; round < 50; round += 1) {
        await vm.loadState(state);
        state = await vm.saveState();
        assert.equal(distance(state), first, `after ${round + 1} rounds`);
      }
    },
  },
  {
    id: "state/refused",
    title: "refuses a state that is cut, changed, of a newer version or of a machine of another shape, and stays what it was",
    uses: ["guest-code"],
    needs: ["saveState"],
    async run(stage) {
      const { vm } = await stage.open();
      const good = await vm.saveState();
      const before = await vm.vcpus[0]!.getRegisters();
      const newer = good.slice();
      new DataView(newer.buffer, newer.byteOffset).setUint32(4, 0x7fff, true); // docs/state-format.md, "The whole"
      for (const [what, state] of [
        ["nothing", new Uint8Array(0)],
        ["noise", new Uint8Array(5000).fill(0xa5)],
        ["a cut one", good.subarray(0, good.length - 8)],
        ["one with more behind", Buffer.concat([good, Buffer.alloc(8)])],
        ["a newer version", newer],
      ] as const) {
        await assert.rejects(async () => vm.loadState(state), UNSUPPORTED, what);
      }
      const shape: Partial<VmConfig> = { uarts: [{ port: 0x3f8, irq: 4 }] };
      const other = await stage.open(shape);
      await assert.rejects(async () => other.vm.loadState(good), UNSUPPORTED, "a machine with another number of UARTs");
      assert.deepEqual(await vm.vcpus[0]!.getRegisters(), before);
      await vm.loadState(good);
    },
  },
  {
    id: "memory/seals",
    title: "refuses memory that is not another VM's shared memory",
    uses: ["guest-code"],
    needs: ["memorySharing"],
    async run(stage) {
      const { vm } = await stage.open();
      const smaller = { memory: MEMORY.slice(0, 1), memoryFd: vm.shareMemory() };
      await assert.rejects(async () => stage.open(smaller), { code: "VM_HOST_FAILURE" }, "memory of another size");
      await assert.rejects(async () => stage.open({ memoryFd: -1 }), RangeError);
      await place(vm, SPINNING); // needs nothing of the processor that an engine may lack
      vm.run();
      await vm.pause();
    },
  },
];

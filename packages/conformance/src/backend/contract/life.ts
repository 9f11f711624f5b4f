// The life of a VM: run, pause, registers, reset, dispose; in every state, twice, under load, and from inside an exit handler.

import assert from "node:assert/strict";
import type { Registers } from "@ringzero/api";
import type { ContractCase } from "../contract-case.js";
import { program } from "../program.js";
import { sleep } from "../../waiting.js";
import type { Actor } from "../stage.js";
import { DATA_AT } from "../start-state.js";

/** Counts in memory, with an exit now and then. */
const COUNTING = program(
  16,
  `
again: inc dword ptr [0x4000]
      mov cx, 50
      loop .
      mov al, 1
      out 0x80, al
      jmp again`,
);
/** Never leaves the engine by itself. */
export const SPINNING = program(16, "again: inc dword ptr [0x4000]\n jmp again");
const PAUSE_LIMIT_MS = 10_000;
/** How long a guest that says it is paused is watched, once: a busy host may not have run one that goes on in less. */
const WATCHED_MS = 50;

function count({ vm }: Actor): number {
  const bytes = vm.memory.read(DATA_AT, 4);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

export const LIFE_CASES: readonly ContractCase[] = [
  {
    id: "life/registers",
    title: "keeps registers that are set while it is paused, and leaves those alone that are not named",
    async run(stage) {
      const { vm } = await stage.open();
      const before = await vm.vcpus[0]!.getRegisters();
      const gpr = before.gpr.map((_, i) => BigInt(i) * 0x0101010101010101n);
      await vm.vcpus[0]!.setRegisters({ gpr, rip: 0x1234n });
      const after: Registers = { ...before, gpr, rip: 0x1234n };
      assert.deepEqual(await vm.vcpus[0]!.getRegisters(), after);
    },
  },
  {
    id: "life/memory",
    title: "shows the guest's memory without a copy, and refuses what is not RAM or ROM",
    async run(stage) {
      const { vm } = await stage.open();
      const { memory } = vm;
      assert.equal(
        memory.sizeBytes,
        stage.config().memory.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      );
      const view = memory.view(0x3ffe, 4);
      memory.write(0x3fff, Uint8Array.of(1, 2));
      assert.deepEqual([...view], [0, 1, 2, 0]);
      const copy = memory.read(0x3fff, 2);
      view.fill(9);
      assert.deepEqual([...copy], [1, 2]);
      for (const [at, sizeBytes] of [
        [0xa0000, 1],
        [0x9ffff, 2],
        [0x200000, 1],
        [-1, 1],
        [0, 0],
      ] as const) {
        assert.throws(() => memory.view(at, sizeBytes), RangeError, `${sizeBytes} bytes at ${at}`);
      }
      assert.throws(() => memory.write(0x9ffff, Uint8Array.of(1, 2)), RangeError);
    },
  },
  {
    id: "life/pause",
    title: "stops a guest that never leaves by itself, stays stopped, and goes on where it was; run and pause are idempotent",
    uses: ["guest-code"],
    async run(stage) {
      const actor = await stage.load(SPINNING);
      const { vm } = actor;
      await vm.pause();
      vm.run();
      vm.run();
      for (let round = 0; round < 20; round += 1) {
        const before = count(actor);
        await stage.until(() => count(actor) !== before, "the guest counted", actor);
        const startMs = Date.now();
        await Promise.all([vm.pause(), vm.pause()]);
        assert.ok(Date.now() - startMs < PAUSE_LIMIT_MS, `a pause took ${Date.now() - startMs} ms`);
        const stopped = count(actor);
        await sleep(5);
        assert.equal(count(actor), stopped, "a paused guest went on");
        vm.run();
      }
    },
  },
  {
    id: "life/kicks",
    title: "loses no pause and no run in hundreds, without a time between them",
    uses: ["guest-code"],
    async run(stage) {
      const actor = await stage.load(COUNTING);
      for (let round = 0; round < 300; round += 1) {
        actor.vm.run();
        await actor.vm.pause();
      }
      const before = count(actor);
      actor.vm.run();
      await stage.until(() => count(actor) > before, "the guest counted after 300 pauses", actor);
    },
  },
  {
    id: "life/busy",
    title: "refuses registers, reset and state of a VM that runs, with VM_VCPU_BUSY",
    uses: ["guest-code"],
    async run(stage) {
      const { vm } = await stage.load(SPINNING);
      vm.run();
      const busy = { code: "VM_VCPU_BUSY" };
      await assert.rejects(async () => vm.vcpus[0]!.getRegisters(), busy);
      await assert.rejects(async () => vm.vcpus[0]!.setRegisters({ rip: 0n }), busy);
      await assert.rejects(async () => vm.reset(), busy);
      if (stage.report.capabilities.saveState) {
        await assert.rejects(async () => vm.saveState(), busy);
        await assert.rejects(async () => vm.loadState(new Uint8Array(100)), busy);
      }
    },
  },
  {
    id: "life/pause-from-handler",
    title: "lets an exit handler ask for a pause, and answers its exit first",
    uses: ["guest-code"],
    async run(stage) {
      let pausing: Promise<void> | undefined;
      const actor = await stage.load(COUNTING, {}, () => {
        pausing ??= actor.vm.pause();
      });
      actor.vm.run();
      await stage.until(() => pausing !== undefined, "an exit came", actor);
      await pausing;
      const stopped = count(actor);
      await sleep(WATCHED_MS);
      assert.equal(count(actor), stopped);
      actor.vm.run();
      await stage.until(() => count(actor) > stopped, "the guest went on", actor);
    },
  },
  {
    id: "life/reset",
    title: "resets processors to power-on state and leaves memory alone",
    uses: ["guest-code"],
    async run(stage) {
      const fresh = await stage.open();
      const actor = await stage.load(COUNTING);
      const { vm } = actor;
      vm.run();
      await stage.until(() => count(actor) > 3, "the guest counted", actor);
      await vm.pause();
      const before = count(actor);
      await vm.reset();
      assert.deepEqual(await vm.vcpus[0]!.getRegisters(), await fresh.vm.vcpus[0]!.getRegisters());
      const { rip, cs, cr0 } = await vm.vcpus[0]!.getRegisters();
      assert.deepEqual(
        { rip, base: cs.base, selector: cs.selector, pe: cr0 & 1n },
        { rip: 0xfff0n, base: 0xffff0000n, selector: 0xf000, pe: 0n },
      );
      assert.equal(count(actor), before);
    },
  },
  {
    id: "life/dispose",
    title: "is disposed of when fresh, running, paused and twice at once, and refuses everything afterwards with VM_NOT_OPEN",
    async run(stage) {
      for (const state of ["fresh", "running", "paused"]) {
        const { vm } = await stage.load(SPINNING);
        if (state !== "fresh") vm.run();
        if (state === "paused") await vm.pause();
        await Promise.all([vm.dispose(), vm.dispose()]);
        await vm.dispose();
        const closed = { code: "VM_NOT_OPEN" };
        assert.throws(() => vm.run(), closed, `run, disposed of when ${state}`);
        await assert.rejects(async () => vm.pause(), closed);
        await assert.rejects(async () => vm.vcpus[0]!.getRegisters(), closed);
        await assert.rejects(async () => vm.reset(), closed);
      }
    },
  },
  {
    id: "life/dispose-under-load",
    title: "is disposed of in the middle of exits, and from inside an exit handler",
    uses: ["guest-code"],
    async run(stage) {
      for (let round = 0; round < 10; round += 1) {
        const outside = await stage.load(COUNTING);
        outside.vm.run();
        await stage.until(() => outside.exits.length > 3, "exits came", outside);
        await outside.vm.dispose();
        let disposing: Promise<void> | undefined;
        const inside: Actor = await stage.load(COUNTING, {}, () => {
          disposing ??= inside.vm.dispose();
        });
        inside.vm.run();
        await stage.until(() => disposing !== undefined, "an exit came", inside);
        await disposing;
      }
    },
  },
];

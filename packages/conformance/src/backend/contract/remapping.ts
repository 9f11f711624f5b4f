// What the host changes under a running guest: code that it is executing, and whether its writes are noted.

import assert from "node:assert/strict";
import type { ContractCase } from "../contract-case.js";
import { CODE_AT, program } from "../program.js";
import { sleep } from "../../waiting.js";
import { DATA_AT } from "../start-state.js";

const ROUNDS = 200;

/** Says the immediate operand of its first instruction, for ever. */
const PATCHED = program(16, "again: mov al, 0\n out 0x80, al\n jmp again");
/** The same without an exit, into memory. */
const PATCHED_SILENT = program(16, "again: mov al, 0\n mov [0x4000], al\n jmp again");
const OPERAND_AT = CODE_AT + 1;

/** Adds 1 to two counters on two pages in turn; the first to be ahead by more than one write ends it: a write was lost. */
const COUNTING = program(
  16,
  `
      mov ax, 0x2000
      mov ds, ax
      xor eax, eax
again: inc dword ptr [0x10]
      inc dword ptr [0x1010]
      inc eax
      cmp eax, [0x10]
      jne lost
      cmp eax, [0x1010]
      je again
lost: done`,
);

export const HOST_REMAPPING_CASES: readonly ContractCase[] = [
  {
    id: "remapping/host-code",
    title: "executes what the host wrote over code that runs, from the next instruction on: by write, and by a view and touched",
    uses: ["guest-code", "self-modifying"],
    async run(stage) {
      let next = 0;
      const actor = await stage.load(PATCHED, {}, () => {
        next += 1;
        if (next % 2 === 0) {
          vm.memory.write(OPERAND_AT, Uint8Array.of(next));
        } else {
          vm.memory.view(OPERAND_AT, 1)[0] = next;
          vm.memory.touched(OPERAND_AT, 1);
        }
      });
      const { vm, exits } = actor;
      vm.run();
      await stage.until(() => exits.length >= ROUNDS, "the guest said enough", actor);
      await vm.pause();
      assert.deepEqual(
        exits.slice(0, ROUNDS).map((exit) => (exit.kind === "port-out" ? exit.value : exit.kind)),
        Array.from({ length: ROUNDS }, (_, i) => i),
      );
    },
  },
  {
    id: "remapping/host-code-while-running",
    title: "comes to execute what the host wrote over a loop that never leaves the guest",
    uses: ["guest-code", "self-modifying"],
    async run(stage) {
      const actor = await stage.load(PATCHED_SILENT);
      const { vm } = actor;
      vm.run();
      const seen = vm.memory.view(DATA_AT, 1);
      for (let round = 1; round <= 50; round += 1) {
        vm.memory.write(OPERAND_AT, Uint8Array.of(round));
        await stage.until(() => seen[0] === round, "the guest executed the new code", actor);
      }
    },
  },
  {
    id: "remapping/tracked",
    title: "loses no write of a running guest while noting its writes is switched on and off under it",
    uses: ["guest-code"],
    needs: ["dirtyLog"],
    async run(stage) {
      const actor = await stage.load(COUNTING);
      const { vm } = actor;
      vm.run();
      for (let round = 0; round < 40; round += 1) {
        await vm.trackDirty(true);
        await sleep(1);
        await vm.takeDirty();
        await vm.trackDirty(false);
      }
      assert.equal(actor.done.size, 0, "a counter fell behind");
      const before = vm.memory.read(0x20010, 4);
      await stage.until(() => Buffer.compare(before, vm.memory.read(0x20010, 4)) !== 0, "the guest went on", actor);
      await vm.pause();
    },
  },
];

// The log of written pages: complete, without what was not written, and lossless while the guest writes.

import assert from "node:assert/strict";
import type { MemoryRange } from "@ringzero/api";
import type { ContractCase } from "../contract-case.js";
import { program } from "../program.js";
import { DATA_AT } from "../start-state.js";

const PAGE = 4096;

/** Reads one page, writes a byte of each of four others: two adjacent, one by an access across two pages. */
const WRITING = program(
  16,
  `
      mov ax, 0x2000
      mov ds, ax
      mov al, [0x7000]
      mov byte ptr [0x1fff], 1
      mov byte ptr [0x2000], 2
      mov word ptr [0x4fff], 0x0303
      xor ax, ax
      mov ds, ax
      done`,
);
/** Walks over eight pages for ever, counting in each. */
const WALKING = program(
  16,
  `
      mov ax, 0x2000
      mov ds, ax
again: xor di, di
next: inc dword ptr [di]
      add di, 0x1000
      cmp di, 0x8000
      jne next
      jmp again`,
);

function pagesOf(ranges: readonly MemoryRange[]): number[] {
  return ranges.flatMap(({ at, sizeBytes }) => Array.from({ length: sizeBytes / PAGE }, (_, i) => at / PAGE + i));
}

export const DIRTY_CASES: readonly ContractCase[] = [
  {
    id: "dirty/complete",
    title: "lists every page that the guest wrote and no other, adjacent ones as one range",
    uses: ["guest-code"],
    needs: ["dirtyLog"],
    async run(stage) {
      const actor = await stage.load(WRITING);
      const { vm } = actor;
      await vm.trackDirty(true);
      vm.memory.write(DATA_AT, Uint8Array.of(1)); // the host's: not in the log
      vm.run();
      await stage.finish(actor);
      assert.deepEqual(await vm.takeDirty(), [
        { at: 0x21000, sizeBytes: 2 * PAGE },
        { at: 0x24000, sizeBytes: 2 * PAGE },
      ]);
      assert.deepEqual(await vm.takeDirty(), []);
      await vm.trackDirty(false);
      await assert.rejects(async () => vm.takeDirty(), { code: "VM_UNSUPPORTED" });
    },
  },
  {
    id: "dirty/running",
    title: "loses no page while the guest writes: what changed since a copy is in the log",
    uses: ["guest-code"],
    needs: ["dirtyLog"],
    async run(stage) {
      const actor = await stage.load(WALKING);
      const { vm } = actor;
      await vm.trackDirty(true);
      const copy = vm.memory.read(0x20000, 8 * PAGE);
      vm.run();
      const live = vm.memory.view(0x20000, 8 * PAGE);
      await stage.until(() => live[7 * PAGE] !== 0, "the guest wrote", actor);
      const copyPages = (pages: readonly number[]): void => {
        for (const page of pages) {
          const from = page * PAGE - 0x20000;
          assert.ok(from >= 0 && from < 8 * PAGE, `page ${page} was not written`);
          copy.set(live.subarray(from, from + PAGE), from);
        }
      };
      for (let round = 0; round < 50; round += 1) copyPages(pagesOf(await vm.takeDirty()));
      await vm.pause();
      copyPages(pagesOf(await vm.takeDirty()));
      assert.ok(Buffer.from(live).equals(copy), "a page that was written is missing from the log");
    },
  },
];

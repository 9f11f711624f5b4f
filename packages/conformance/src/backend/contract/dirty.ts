// The log of written pages: complete, without what was not touched, and lossless while the guest writes. Nested page tables learn of a page at
// the first access, of whatever kind, so that a page which was only read may be in the log once.

import assert from "node:assert/strict";
import type { MemoryRange } from "@ringzero/api";
import type { ContractCase } from "../contract-case.js";
import { type Actor } from "../stage.js";
import { CODE_AT, program } from "../program.js";
import { DATA_AT } from "../start-state.js";

const PAGE = 4096;

const WRITTEN: readonly MemoryRange[] = [
  { at: 0x21000, sizeBytes: 2 * PAGE },
  { at: 0x24000, sizeBytes: 2 * PAGE },
];
/** What WRITING only reads: its own code, and one page. */
const READ = [CODE_AT / PAGE, 0x27];

/**
 * Reads one page, writes a byte of each of four others: two adjacent, one by an access across two pages. Once more when port 80h reads 1: the
 * pause that is asked for there comes some turns later.
 */
const WRITING = program(
  16,
  `
      mov ax, 0x2000
      mov ds, ax
      mov al, [0x7000]
      mov byte ptr [0x1fff], 1
      mov byte ptr [0x2000], 2
      mov word ptr [0x4fff], 0x0303
wait: in al, 0x80
      cmp al, 1
      jne wait
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
    title: "lists every page that the guest wrote and none that it left alone, adjacent ones as one range",
    uses: ["guest-code"],
    needs: ["dirtyLog"],
    async run(stage) {
      let pausing: Promise<void> | undefined;
      let again = 0;
      const actor: Actor = await stage.load(WRITING, {}, () => {
        pausing ??= actor.vm.pause();
        return again;
      });
      const { vm } = actor;
      await vm.trackDirty(true);
      vm.memory.write(DATA_AT, Uint8Array.of(1)); // the host's: not in the log
      vm.run();
      await stage.until(() => pausing !== undefined, "the guest had written", actor);
      await pausing;
      const first = await vm.takeDirty();
      assert.deepEqual(
        pagesOf(first).filter((page) => !READ.includes(page)),
        pagesOf(WRITTEN),
      );
      assert.ok(
        first.every(({ at, sizeBytes }) => !first.some((other) => other.at === at + sizeBytes)),
        "adjacent pages are one range",
      );
      assert.deepEqual(await vm.takeDirty(), []);
      again = 1;
      vm.run();
      await stage.finish(actor);
      assert.deepEqual(await vm.takeDirty(), WRITTEN, "pages that had been touched before, and were only read now");
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
        for (const page of pages.filter((each) => each !== CODE_AT / PAGE)) {
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

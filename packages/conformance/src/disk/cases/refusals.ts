// What a disk refuses before any effect: places and lengths that are none, and what it does not claim.

import type { BlockDevice } from "@ringzero/api";
import type { DiskCodeCase } from "../disk-case.js";
import { assertRefused, assertSame, type DiskStage } from "../disk-stage.js";

type Transfer = (offsetBytes: number, countBytes: number) => Promise<void>;

/** All operations on a range that the disk claims. */
function claimed(disk: BlockDevice): readonly (readonly [string, Transfer])[] {
  const { write, discard, writeZeroes } = disk.capabilities;
  const bytes = (count: number): Uint8Array => new Uint8Array(Number.isSafeInteger(count) && count > 0 ? count : 0).fill(0xee);
  const one = (name: string, call: Transfer): readonly [string, Transfer] => [name, call];
  return [
    one("read", (at, count) => disk.read(at, bytes(count))),
    ...(write ? [one("write", (at, count) => disk.write(at, bytes(count)))] : []),
    ...(discard ? [one("discard", (at, count) => disk.discard(at, count))] : []),
    ...(writeZeroes ? [one("writeZeroes", (at, count) => disk.writeZeroes(at, count, true))] : []),
  ];
}

async function ends(stage: DiskStage, disk: BlockDevice): Promise<readonly Uint8Array[]> {
  const found = [];
  for (const at of [0, disk.sizeBytes - disk.blockBytes]) {
    const into = new Uint8Array(disk.blockBytes);
    await stage.within("read", disk.read(at, into));
    found.push(into);
  }
  return found;
}

export const DISK_REFUSAL_CASES: readonly DiskCodeCase[] = [
  {
    id: "disk/ranges",
    title: "refuses with a RangeError what is not whole blocks, empty, or beyond its end, and changes nothing",
    async run(stage) {
      const disk = await stage.open();
      const { blockBytes, sizeBytes } = disk;
      const before = await ends(stage, disk);
      for (const [name, transfer] of claimed(disk)) {
        for (const [at, count] of [
          [1, blockBytes],
          [blockBytes / 2, blockBytes],
          [0, blockBytes + 1],
          [0, blockBytes / 2],
          [0, 0],
          [-blockBytes, blockBytes],
          [sizeBytes, blockBytes],
          [sizeBytes - blockBytes, 2 * blockBytes],
          [2 ** 60, blockBytes],
          [Number.NaN, blockBytes],
          [0.5, blockBytes],
        ] as const) {
          await assertRefused(() => stage.within(name, transfer(at, count)), null, `${name} of ${count} bytes at ${at}`);
        }
      }
      const after = await ends(stage, disk);
      for (const [i, found] of after.entries()) assertSame(found, before[i]!, "the first and the last block");
    },
  },
  {
    id: "disk/unclaimed",
    title: "refuses what it does not claim with VM_UNSUPPORTED, and goes on",
    async run(stage) {
      const disk = await stage.open();
      const { blockBytes, capabilities } = disk;
      const before = await ends(stage, disk);
      const refused = (call: () => Promise<void>, what: string): Promise<void> =>
        assertRefused(() => stage.within(what, call()), "VM_UNSUPPORTED", what);
      if (!capabilities.write) await refused(() => disk.write(0, new Uint8Array(blockBytes).fill(0xee)), "write");
      if (!capabilities.flush) await refused(() => disk.flush(), "flush");
      if (!capabilities.discard) await refused(() => disk.discard(0, blockBytes), "discard");
      if (!capabilities.writeZeroes) await refused(() => disk.writeZeroes(0, blockBytes, false), "writeZeroes");
      const after = await ends(stage, disk);
      for (const [i, found] of after.entries()) assertSame(found, before[i]!, "the first and the last block");
    },
  },
];

// Reading, which every disk can: whole, into the caller's bytes and no others, and the same again.

import assert from "node:assert/strict";
import { skipped } from "../../case.js";
import type { DiskCodeCase } from "../disk-case.js";
import { assertSame } from "../disk-stage.js";

const GUARD_BYTES = 64;

export const READ_CASES: readonly DiskCodeCase[] = [
  {
    id: "disk/shape",
    title: "has whole blocks of 512 or 4096 bytes, at least one, and says of each capability whether it has it",
    async run(stage) {
      const disk = await stage.open();
      assert.ok(disk.blockBytes === 512 || disk.blockBytes === 4096, `blockBytes is ${disk.blockBytes}`);
      assert.ok(Number.isSafeInteger(disk.sizeBytes) && disk.sizeBytes > 0, `sizeBytes is ${disk.sizeBytes}`);
      assert.equal(disk.sizeBytes % disk.blockBytes, 0, "the size is whole blocks");
      for (const name of ["write", "flush", "discard", "writeZeroes"] as const) {
        assert.equal(typeof disk.capabilities[name], "boolean", `capability ${name}`);
      }
    },
  },
  {
    id: "disk/fills",
    title: "fills every byte that it is given and none beside it, the same bytes each time",
    async run(stage) {
      const disk = await stage.open();
      const { blockBytes, sizeBytes } = disk;
      const most = Math.min(sizeBytes, 256 * blockBytes);
      for (const [at, count] of [
        [0, blockBytes],
        [sizeBytes - blockBytes, blockBytes],
        [0, most],
        [sizeBytes - most, most],
      ] as const) {
        const found = [0x5a, 0xa5].map((fill) => {
          const around = new Uint8Array(count + 2 * GUARD_BYTES).fill(fill);
          return { fill, around, into: around.subarray(GUARD_BYTES, GUARD_BYTES + count) };
        });
        for (const { into } of found) await stage.within("read", disk.read(at, into));
        assertSame(found[0]!.into, found[1]!.into, `${count} bytes at ${at} read twice`);
        for (const { fill, around } of found) {
          const beside = [...around.subarray(0, GUARD_BYTES), ...around.subarray(GUARD_BYTES + count)];
          assert.ok(
            beside.every((byte) => byte === fill),
            "bytes beside the caller's were changed",
          );
        }
      }
    },
  },
  {
    id: "disk/content",
    title: "holds what it must hold",
    async run(stage) {
      const { content } = stage.options;
      if (!content) return skipped("the option `content` was not given");
      const disk = await stage.open();
      const from = content.offsetBytes - (content.offsetBytes % disk.blockBytes);
      const end = content.offsetBytes + content.bytes.length;
      const into = new Uint8Array(Math.ceil((end - from) / disk.blockBytes) * disk.blockBytes);
      await stage.within("read", disk.read(from, into));
      assertSame(into.subarray(content.offsetBytes - from, end - from), content.bytes, "what it must hold");
      return undefined;
    },
  },
];

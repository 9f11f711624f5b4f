// Operations that run at once, and whose the bytes are: a buffer is used until the promise settles and never after.

import assert from "node:assert/strict";
import { skipped } from "../../case.js";
import type { DiskCodeCase } from "../disk-case.js";
import { assertSame, pattern } from "../disk-stage.js";

const AT_ONCE = 64;

export const CONCURRENCY_CASES: readonly DiskCodeCase[] = [
  {
    id: "disk/at-once",
    title: `carries out ${AT_ONCE} writes at once, and ${AT_ONCE} reads, each in its own place`,
    needs: ["write"],
    async run(stage) {
      const disk = await stage.open();
      const { blockBytes } = disk;
      const count = Math.min(AT_ONCE, disk.sizeBytes / blockBytes);
      const places = Array.from({ length: count }, (_, i) => (i * 37) % count);
      const distinct = [...new Set(places)];
      await stage.within(
        "writes at once",
        Promise.all(distinct.map((block) => disk.write(block * blockBytes, pattern(block, blockBytes).slice()))),
      );
      const read = await stage.within(
        "reads at once",
        Promise.all(
          distinct.map(async (block) => {
            const into = new Uint8Array(blockBytes);
            await disk.read(block * blockBytes, into);
            return { block, into };
          }),
        ),
      );
      for (const { block, into } of read) assertSame(into, pattern(block, blockBytes), `block ${block}`);
    },
  },
  {
    id: "disk/overlapping",
    title: "leaves whole blocks of one or the other where writes overlap",
    needs: ["write"],
    async run(stage) {
      const disk = await stage.open();
      const { blockBytes } = disk;
      const blocks = Math.min(16, disk.sizeBytes / blockBytes);
      for (let round = 0; round < 8; round += 1) {
        const [one, other] = [pattern(2 * round, blocks * blockBytes), pattern(2 * round + 1, blocks * blockBytes)];
        await stage.within("writes that overlap", Promise.all([disk.write(0, one.slice()), disk.write(0, other.slice())]));
        const into = new Uint8Array(blocks * blockBytes);
        await stage.within("read", disk.read(0, into));
        for (let at = 0; at < into.length; at += blockBytes) {
          const found = Buffer.from(into.subarray(at, at + blockBytes));
          const whole = [one, other].some((bytes) => found.equals(bytes.subarray(at, at + blockBytes)));
          assert.ok(whole, `block ${at / blockBytes} is of neither write`);
        }
      }
    },
  },
  {
    id: "disk/bytes-afterwards",
    title: "leaves the caller's bytes alone once an operation has settled, and does not hold on to them",
    needs: ["write"],
    async run(stage) {
      const disk = await stage.open();
      const { blockBytes } = disk;
      const wanted = pattern(1, blockBytes);
      const bytes = wanted.slice();
      await stage.within("write", disk.write(0, bytes));
      assertSame(bytes, wanted, "the bytes that were written");
      bytes.fill(0xee); // the guest uses its memory for something else
      if (disk.capabilities.flush) await stage.within("flush", disk.flush());
      const into = new Uint8Array(blockBytes);
      await stage.within("read", disk.read(0, into));
      assertSame(into, wanted, "what was written");
      into.fill(0x77);
      await stage.within("another read", disk.read(0, new Uint8Array(blockBytes)));
      await new Promise((later) => setTimeout(later, 20));
      assert.ok(
        into.every((byte) => byte === 0x77),
        "the bytes of a read that had settled were changed",
      );
    },
  },
  {
    id: "disk/flush-busy",
    title: "flushes while writes are under way",
    needs: ["write", "flush"],
    async run(stage) {
      const disk = await stage.open();
      const writes = Array.from({ length: 8 }, (_, i) => disk.write(0, pattern(i, disk.blockBytes)));
      await stage.within("flush", Promise.all([disk.flush(), disk.flush(), ...writes]));
    },
  },
  {
    id: "disk/close-busy",
    title: "closes when what is under way has settled, twice at that, and refuses everything afterwards with VM_NOT_OPEN",
    async run(stage) {
      const disk = await stage.open();
      const { blockBytes } = disk;
      let settled = 0;
      const count = (): void => void (settled += 1);
      const bytes = pattern(3, blockBytes);
      const underWay = Array.from({ length: 8 }, (_, i) =>
        disk.capabilities.write && i % 2 === 1 ? disk.write(0, bytes) : disk.read(0, new Uint8Array(blockBytes)),
      ).map((one) => one.then(count));
      await stage.within(
        "close",
        Promise.all([disk.close(), disk.close()]).then(() => undefined),
      );
      assert.equal(settled, underWay.length, "operations that had settled when it was closed");
      await Promise.all(underWay);
      await stage.within("another close", disk.close());
      const closed = { code: "VM_NOT_OPEN" };
      await assert.rejects(disk.read(0, new Uint8Array(blockBytes)), closed);
      if (disk.capabilities.write) await assert.rejects(disk.write(0, bytes), closed);
      if (disk.capabilities.flush) await assert.rejects(disk.flush(), closed);
    },
  },
  {
    id: "disk/durable",
    title: "holds flushed writes when it is opened again",
    needs: ["write"],
    async run(stage) {
      const { reopen } = stage.options;
      if (!reopen) return skipped("the option `reopen` was not given");
      const disk = await stage.open();
      const bytes = pattern(4, disk.blockBytes);
      await stage.within("write", disk.write(disk.sizeBytes - disk.blockBytes, bytes.slice()));
      if (disk.capabilities.flush) await stage.within("flush", disk.flush());
      await stage.within("close", disk.close());
      const again = stage.keep(await reopen(disk));
      assert.equal(again.sizeBytes, disk.sizeBytes);
      const into = new Uint8Array(disk.blockBytes);
      await stage.within("read", again.read(again.sizeBytes - again.blockBytes, into));
      assertSame(into, bytes, "what was written before");
      return undefined;
    },
  },
  {
    id: "disk/resize",
    title: "says its new size when it grew or shrank, keeps what is still there, and refuses what is not",
    async run(stage) {
      const { resize } = stage.options;
      if (!resize) return skipped("the option `resize` was not given");
      const disk = await stage.open();
      assert.ok(disk.onResize, "a disk whose size changes has onResize");
      const { blockBytes, sizeBytes } = disk;
      const said: number[] = [];
      disk.onResize((now) => said.push(now));
      const before = new Uint8Array(blockBytes);
      await stage.within("read", disk.read(0, before));
      for (const size of [sizeBytes + 8 * blockBytes, 2 * blockBytes]) {
        await resize(disk, size);
        await stage.until(() => said.at(-1) === size, "the listener heard of it");
        assert.equal(disk.sizeBytes, size);
        const into = new Uint8Array(blockBytes);
        await stage.within("read", disk.read(0, into));
        assertSame(into, before, "the first block");
        await stage.within("read of the last block", disk.read(size - blockBytes, into));
        await assert.rejects(disk.read(size, into), RangeError);
      }
      return undefined;
    },
  },
];

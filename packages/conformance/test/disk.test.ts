// The suite for disks on the disk in memory, in the shapes that disks come in.

import { describeDisk } from "@ringzero/conformance";
import { MemoryDisk } from "@ringzero/testing";

const resize = (disk: unknown, sizeBytes: number): void => (disk as MemoryDisk).resize(sizeBytes);

describeDisk("memory", () => new MemoryDisk(), {
  reopen: (disk) => new MemoryDisk({}, (disk as MemoryDisk).content),
  resize,
});
describeDisk("memory with blocks of 4096 bytes", () => new MemoryDisk({ blockBytes: 4096, sizeBytes: 2 ** 17 }), { resize });
describeDisk("memory that is written through", () => new MemoryDisk({ capabilities: { flush: false, discard: false } }), {
  reopen: (disk) => new MemoryDisk({}, (disk as MemoryDisk).content),
});
describeDisk(
  "memory that is read only",
  () => new MemoryDisk({ capabilities: { write: false, flush: false, discard: false, writeZeroes: false } }),
  { content: { offsetBytes: 700, bytes: new Uint8Array(1000) } },
);

// A disk plugin, whole: a disk of zeros whose first block tells its name. There is no disk device in this version, so no machine can
// use it yet; the contract is what a plugin is written against, and `describeDisk` of @ringzero/conformance is its test.

import { type BlockDevice, checkTransfer, Type } from "@ringzero/api";
import { definePlugin, RingzeroError } from "@ringzero/core";

const BLOCK_BYTES = 512;

export default definePlugin({
  name: "@acme/ringzero-disk-label",
  kind: "disk",
  api: { min: 1, max: 1 },
  summary: "A read-only disk of zeros with a label in its first block",
  module: import.meta.url,
  options: Type.Object({
    label: Type.String({ maxLength: BLOCK_BYTES, description: "Text of the first block." }),
    blocks: Type.Integer({ minimum: 1, default: 2048, description: "Size in blocks of 512 bytes." }),
  }),
  capabilities: { write: false, flush: false, discard: false, writeZeroes: false },
  async open(options): Promise<BlockDevice> {
    const first = new Uint8Array(BLOCK_BYTES);
    first.set(new TextEncoder().encode(options.label).subarray(0, BLOCK_BYTES));
    const refuse = (): Promise<never> => Promise.reject(new RingzeroError("VM_UNSUPPORTED", "a label disk can only be read"));
    const size = { sizeBytes: options.blocks * BLOCK_BYTES, blockBytes: BLOCK_BYTES } as const;
    let open = true;
    return {
      ...size,
      capabilities: { write: false, flush: false, discard: false, writeZeroes: false },
      async read(offsetBytes, into) {
        if (!open) throw new RingzeroError("VM_NOT_OPEN", "the label disk is closed");
        checkTransfer(size, offsetBytes, into.length);
        into.fill(0); // `into` is the guest's own memory
        if (offsetBytes === 0) into.set(first);
      },
      write: refuse,
      flush: refuse,
      discard: refuse,
      writeZeroes: refuse,
      close: async () => void (open = false),
    };
  },
});

// Guest memory as the host sees it: views, bounds, several ranges, and sparse gigabytes.

import assert from "node:assert/strict";
import { create, MIB, ticks, until } from "./scripted-vm.js";

describe("guest memory of the bt backend", () => {
  it("is the guest's own, seen without a copy", async () => {
    const vm = await create("tick");
    try {
      const view = vm.memory.view(0, 8);
      vm.run();
      await until(() => view[0] !== 0, "the guest's counter moved in the view");
      await vm.pause();
      vm.memory.write(0, new Uint8Array(8));
      assert.equal(ticks(vm), 0n);
      assert.deepEqual(vm.memory.read(0, 3), new Uint8Array(3));
    } finally {
      await vm.dispose();
    }
  });

  it("spans several ranges and 12 sparse GiB, with views across the 4 GiB windows", async () => {
    const vm = await create("spin", undefined, {
      memory: [
        { at: 0, sizeBytes: MIB },
        { at: 2 ** 32, sizeBytes: 12 * 2 ** 30 },
      ],
    });
    try {
      const { memory } = vm;
      assert.equal(memory.sizeBytes, MIB + 12 * 2 ** 30);
      const high = 2 ** 32 + 2 ** 32 - 3;
      memory.write(high, Uint8Array.of(1, 2, 3, 4, 5, 6));
      assert.deepEqual([...memory.view(high + 3, 3)], [4, 5, 6]);
      assert.deepEqual([...memory.view(high - 1, 8)], [0, 1, 2, 3, 4, 5, 6, 0]);
      memory.write(2 ** 32 + 12 * 2 ** 30 - 1, Uint8Array.of(9));
      for (const [at, size] of [
        [MIB - 1, 2],
        [MIB, 1],
        [2 ** 32 - 1, 1],
        [2 ** 32 + 12 * 2 ** 30, 1],
        [0, 0],
        [-1, 1],
        [0.5, 1],
      ] as const) {
        assert.throws(() => memory.view(at, size), RangeError, `${size} bytes at ${at}`);
      }
    } finally {
      await vm.dispose();
    }
  });
});

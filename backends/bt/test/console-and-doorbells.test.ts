// The asynchronous paths: console output and input, doorbells.

import assert from "node:assert/strict";
import { create, ticks, until } from "./scripted-vm.js";

describe("consoles of the bt backend", () => {
  it("deliver 1 MiB of output whole and in order, and hold the guest up rather than lose a byte", async function () {
    this.timeout(20_000);
    const total = 2 ** 20;
    const vm = await create(`print ${total};rest 1000`);
    try {
      const received = new Uint8Array(total);
      let count = 0;
      vm.on("uart-output", ({ index }) => {
        for (;;) {
          const n = vm.uarts[index]!.read(received.subarray(count));
          if (n === 0) return;
          count += n;
        }
      });
      vm.run();
      await until(() => count === total, "everything was printed", 15_000);
      assert.ok(received.every((byte, at) => byte === 97 + (at % 26)));
    } finally {
      await vm.dispose();
    }
  });

  it("take input up to the ring's size and say how much", async () => {
    const vm = await create("rest 1");
    try {
      assert.equal(vm.uarts[0]!.write(new Uint8Array(10)), 10);
      const most = vm.uarts[0]!.write(new Uint8Array(10_000));
      assert.ok(most > 3000 && most <= 4096 + 16, `${most} bytes were taken`);
      assert.equal(vm.uarts[0]!.read(new Uint8Array(0)), 0);
    } finally {
      await vm.dispose();
    }
  });
});

describe("doorbells of the bt backend", () => {
  it("call back without stopping the vCPU, and no exit is seen", async () => {
    let rings = 0;
    let exits = 0;
    const vm = await create("store 0xc0000050 2 1;tick", () => {
      ++exits;
    });
    try {
      const bell = vm.doorbell({ at: 0xc0000050, size: 2 }, () => ++rings);
      vm.run();
      await until(() => rings > 3 && ticks(vm) > 1000n, "the doorbell rang");
      assert.equal(exits, 0);
      bell.dispose();
      bell.dispose();
      await until(() => exits > 0, "the disposed doorbell let writes through");
    } finally {
      await vm.dispose();
    }
  });

  it("match the value where one is given", async () => {
    let rings = 0;
    const values = new Set<number>();
    const vm = await create("out 0x600 2 7;out 0x600 2 8", (exit) => {
      if (exit.kind === "port-out") values.add(exit.value);
    });
    try {
      vm.doorbell({ port: 0x600, size: 2, value: 7 }, () => ++rings);
      vm.run();
      await until(() => rings > 0 && values.size > 0, "both kinds of writes came");
      assert.deepEqual([...values], [8]);
    } finally {
      await vm.dispose();
    }
  });

  it("are refused when they cannot match, or are too many", async () => {
    const vm = await create("spin");
    try {
      assert.throws(() => vm.doorbell({ port: 0x10000, size: 2 }, () => undefined), RangeError);
      assert.throws(() => vm.doorbell({ at: 0x1000, size: 3 as 4 }, () => undefined), RangeError);
      for (let i = 0; i < 256; ++i) vm.doorbell({ port: i, size: 1 }, () => undefined);
      assert.throws(() => vm.doorbell({ port: 300, size: 1 }, () => undefined), { code: "VM_UNSUPPORTED" });
    } finally {
      await vm.dispose();
    }
  });
});

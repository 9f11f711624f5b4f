// Synchronous exits: what the guest does arrives, what the handler answers goes back.

import assert from "node:assert/strict";
import type { VmExit } from "@ringzero/api";
import { create, ticks, until } from "./scripted-vm.js";

describe("exits of the bt backend", () => {
  it("carry port and memory accesses with their width, address and value", async () => {
    const seen: VmExit[] = [];
    const vm = await create(
      "once in 0x510 4;once out 0x511 2 0x12345678;once load 0xfed00000 8;once store 0xc0000000 8 0x1122334455667788;rest 1",
      (exit) => {
        seen.push(exit);
      },
    );
    try {
      vm.run();
      await until(() => seen.length === 4, "four exits came");
      assert.deepEqual(seen, [
        { kind: "port-in", vcpu: 0, port: 0x510, size: 4 },
        { kind: "port-out", vcpu: 0, port: 0x511, size: 2, value: 0x5678 },
        { kind: "mmio-read", vcpu: 0, at: 0xfed00000, size: 8 },
        { kind: "mmio-write", vcpu: 0, at: 0xc0000000, size: 8, value: 0x1122334455667788n },
      ]);
    } finally {
      await vm.dispose();
    }
  });

  for (const [what, reply, width, expected] of [
    ["a number", 0xdeadbeef, 4, 0xdeadbeefn],
    ["a bigint", 0xfedcba9876543210n, 8, 0xfedcba9876543210n],
    ["a number above 2^32", 2 ** 40 + 5, 8, 2n ** 40n + 5n],
    ["a number wider than the access", 0x1ff, 1, 0xffn],
    ["nothing (the open bus)", undefined, 2, 0xffffn],
  ] as const) {
    it(`give the guest ${what} that the handler returned`, async () => {
      const echoed: bigint[] = [];
      const vm = await create(`load 0xfed00000 ${width};store 0xc0000000 ${width} 0;echo 0x80 4`, (exit) => {
        if (exit.kind === "mmio-read") return reply;
        if (exit.kind === "port-out") echoed.push(BigInt(exit.value));
        return undefined;
      });
      try {
        vm.run();
        await until(() => echoed.length > 2, "the value was echoed");
        assert.equal(echoed[1], expected & 0xffffffffn);
      } finally {
        await vm.dispose();
      }
    });
  }

  it("arrive from several vCPUs at once, each answered with its own value", async () => {
    const echoed = [0, 1, 2, 3].map(() => new Set<number>());
    const vm = await create(
      "in 0x510 4;echo 0x80 4",
      (exit) => {
        if (exit.kind === "port-in") return 1000 + exit.vcpu;
        if (exit.kind === "port-out") echoed[exit.vcpu]?.add(exit.value);
        return undefined;
      },
      { vcpus: 4 },
    );
    try {
      vm.run();
      await until(() => echoed.every((values) => values.size > 0), "every vCPU was served");
      await vm.pause();
      assert.deepEqual(
        echoed,
        [0, 1, 2, 3].map((vcpu) => new Set([1000 + vcpu])),
      );
    } finally {
      await vm.dispose();
    }
  });

  it("report a triple fault as an exit, after which the vCPU stays stopped until a reset", async () => {
    const kinds: string[] = [];
    const vm = await create("tick;shutdown", (exit) => {
      kinds.push(exit.kind);
    });
    try {
      vm.run();
      await until(() => kinds.length === 1, "the shutdown came");
      assert.deepEqual(kinds, ["shutdown"]);
      await vm.pause();
      vm.run();
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(ticks(vm), 1n);
      await vm.pause();
      await vm.reset();
      vm.run();
      await until(() => kinds.length === 2, "the machine ran again");
    } finally {
      await vm.dispose();
    }
  });

  it("stop the machine, not the host, when the handler throws", async () => {
    const vm = await create("in 0x510 4", () => {
      throw new Error("a device model failed");
    });
    const crashed = new Promise<{ reason: string }>((resolve) => vm.on("crashed", resolve));
    vm.run();
    assert.match((await crashed).reason, /a device model failed/);
    await vm.dispose();
  });
});

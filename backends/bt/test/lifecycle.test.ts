// Run, pause, registers, dispose: in every state, twice, and from inside a handler.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { BtBackend, type BtVm } from "@ringzero/backend-bt";
import { create, exists, scripted, ticks, until } from "./scripted-vm.js";

const fdCount = (): number => readdirSync("/proc/self/fd").length;

describe("the life of a bt machine", () => {
  it("stops all vCPUs on pause and goes on where it was on run, both idempotent", async () => {
    const vm = await create("tick", undefined, { vcpus: 2 });
    try {
      await vm.pause();
      vm.run();
      vm.run();
      await until(() => ticks(vm) > 100n, "the guest ran");
      await Promise.all([vm.pause(), vm.pause()]);
      const stopped = ticks(vm);
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(ticks(vm), stopped);
      vm.run();
      await until(() => ticks(vm) > stopped + 100n, "the guest went on");
    } finally {
      await vm.dispose();
    }
  });

  it("pauses a vCPU that waits for the host, after its answer", async () => {
    let pausing: Promise<void> | undefined;
    const vm: BtVm = await create("in 0x510 1;tick", () => {
      pausing ??= vm.pause();
      return 0;
    });
    try {
      vm.run();
      await until(() => pausing !== undefined, "the exit came");
      await pausing;
      const stopped = ticks(vm);
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(ticks(vm), stopped);
    } finally {
      await vm.dispose();
    }
  });

  it("refuses registers and reset while vCPUs run, with VM_VCPU_BUSY", async () => {
    const vm = await create("tick");
    try {
      vm.run();
      await assert.rejects(vm.vcpus[0]!.getRegisters(), { code: "VM_VCPU_BUSY" });
      await assert.rejects(vm.reset(), { code: "VM_VCPU_BUSY" });
      await vm.pause();
      await vm.vcpus[0]!.getRegisters();
    } finally {
      await vm.dispose();
    }
  });

  it("keeps registers that were set", async () => {
    const vm = await create("spin");
    try {
      const cpu = vm.vcpus[0]!;
      const gpr = Array.from({ length: 16 }, (_, i) => 0x1111111111111111n * BigInt(i));
      await cpu.setRegisters({ gpr, rip: 0x7c00n, gdtr: { base: 0x1000n, limit: 0x27 } });
      const now = await cpu.getRegisters();
      assert.deepEqual([...now.gpr], gpr);
      assert.equal(now.rip, 0x7c00n);
      assert.deepEqual(now.gdtr, { base: 0x1000n, limit: 0x27 });
      assert.equal(now.rflags & 2n, 2n);
    } finally {
      await vm.dispose();
    }
  });

  it("is disposed before it ran, while it runs, paused, twice, and leaves no process", async () => {
    for (const prepare of [
      async () => undefined,
      async (vm: BtVm) => vm.run(),
      async (vm: BtVm) => {
        vm.run();
        await vm.pause();
      },
    ]) {
      const vm = await create("tick");
      await prepare(vm);
      const pid = vm.enginePid;
      await Promise.all([vm.dispose(), vm.dispose()]);
      await vm.dispose();
      assert.equal(exists(pid), false);
      assert.throws(() => vm.run(), { code: "VM_NOT_OPEN" });
      await assert.rejects(vm.pause(), { code: "VM_NOT_OPEN" });
      assert.throws(() => vm.memory.view(0, 1), { code: "VM_NOT_OPEN" });
    }
  });

  it("is disposed from inside an exit handler and with commands under way", async () => {
    let pausing: Promise<void> | undefined;
    let disposing: Promise<void> | undefined;
    const vm: BtVm = await create("in 0x510 1", () => {
      pausing ??= assert.rejects(vm.pause(), { code: /VM_NOT_OPEN|VM_CRASHED/ });
      disposing ??= vm.dispose();
      return 0;
    });
    vm.run();
    await until(() => disposing !== undefined, "the exit came");
    await disposing;
    await pausing;
  });

  it("reads zeros through a view that outlives the machine", async () => {
    const vm = await create("tick");
    const view = vm.memory.view(0, 4096);
    view.fill(7);
    await vm.dispose();
    assert.equal(view[100], 0);
    view[100] = 1; // harmless
  });

  it("leaks no descriptor in 200 cycles of create and dispose", async function () {
    this.timeout(60_000);
    await (await create("tick")).dispose();
    const before = fdCount();
    for (let i = 0; i < 200; ++i) {
      const vm = await create("in 0x510 1", () => 0);
      if (i % 2 === 0) vm.run();
      await vm.dispose();
    }
    assert.ok(fdCount() <= before + 2, `${before} descriptors before, ${fdCount()} after`);
  });

  it("keeps a 1 ms interval of the main thread going while two guests spin", async () => {
    const machines = await Promise.all([create("tick"), create("spin")]);
    try {
      for (const vm of machines) vm.run();
      let turns = 0;
      const timer = setInterval(() => ++turns, 1);
      await new Promise((resolve) => setTimeout(resolve, 400));
      clearInterval(timer);
      assert.ok(turns > 100, `only ${turns} turns in 400 ms`);
    } finally {
      await Promise.all(machines.map((vm) => vm.dispose()));
    }
  });

  it("runs in a worker, lingering for exits, and dies with it", async () => {
    const worker = new Worker(new URL("./exit-worker.js", import.meta.url), { workerData: scripted("in 0x510 4;tick") });
    const pid = await new Promise<number>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    assert.ok(exists(pid));
    await worker.terminate();
    await until(() => !exists(pid), "the engine of the terminated worker was gone");
  });

  it("refuses what cannot be, before anything starts", async () => {
    const backend = new BtBackend();
    const good = scripted("spin");
    const handler = (): void => undefined;
    await assert.rejects(async () => backend.createVm({ ...good, vcpus: 0 }, handler), RangeError);
    await assert.rejects(async () => backend.createVm({ ...good, memory: [{ at: 0, sizeBytes: 3 }] }, handler), RangeError);
    await assert.rejects(async () => backend.createVm({ ...good, memory: [] }, handler), RangeError);
    await assert.rejects(async () => backend.createVm({ ...good, options: { colour: "red" } }, handler), {
      code: "VM_UNSUPPORTED",
    });
    for (const codeCacheBytes of [0, 1, 2 ** 20 - 1, 2 ** 31 + 1]) {
      await assert.rejects(async () => backend.createVm({ ...good, options: { codeCacheBytes } }, handler), {
        name: "RangeError",
        message: `engine option codeCacheBytes=${codeCacheBytes}: a whole number from 1048576 to 2147483648 is needed`,
      });
    }
    await assert.rejects(async () => backend.createVm({ ...good, options: { maxBlockInsts: 0 } }, handler), RangeError);
    await assert.rejects(async () => backend.createVm({ ...good, cpuProfile: "z80" }, handler), { code: "VM_UNSUPPORTED" });
    await assert.rejects(
      async () =>
        backend.createVm(
          {
            ...good,
            memory: [
              { at: 0, sizeBytes: 8192 },
              { at: 4096, sizeBytes: 4096 },
            ],
          },
          handler,
        ),
      RangeError,
    );
    await assert.rejects(async () => backend.createVm({ ...good, memory: [{ at: 0, sizeBytes: 2 ** 37 }] }, handler), {
      code: "VM_UNSUPPORTED",
    });
  });

  it("probes as available here, quickly", async () => {
    const start = Date.now();
    const report = await new BtBackend().probe();
    assert.equal(report.available, true, report.reason);
    assert.ok(Date.now() - start < 1000);
  });
});

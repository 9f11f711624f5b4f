// The states of a machine and what each operation does in each of them.

import assert from "node:assert/strict";
import { RingzeroError } from "@ringzero/api";
import { FAKE_KERNEL_AT, FAKE_POWER } from "@ringzero/testing";
import { device, fakeRingzero, fakeSpec, INLINE, inlineMachine } from "./fake-machine.js";

const coded = (code: string) => (error: unknown) => error instanceof RingzeroError && error.code === code;
const off = { do: "out", port: FAKE_POWER.off, value: 1 } as const;

describe("the life of a machine", () => {
  it("goes from created over starting and running to stopped, with one exit", async () => {
    const { machine, rz } = await inlineMachine([{ do: "sleep", ms: 5 }, off, off]);
    const states: string[] = [machine.state];
    const exits: unknown[] = [];
    machine.on("state", ({ state }) => states.push(state));
    machine.on("exit", (exit) => exits.push(exit));
    await machine.start();
    assert.equal(machine.state, "running");
    assert.deepEqual(await machine.exited, { reason: "powered-off" });
    assert.deepEqual(states, ["created", "starting", "running", "stopped"]);
    assert.deepEqual(exits, [{ reason: "powered-off" }]);
    await rz.dispose();
    assert.equal(machine.state, "disposed");
  });

  it("loads the boot image and the registers before the guest runs, and gives the VM what the spec says", async () => {
    const { machine, vm, rz } = await inlineMachine(
      [{ do: "expect-memory", at: FAKE_KERNEL_AT, bytes: [...Buffer.from("kernel")] }, off],
      { cpus: 2, name: "unit" },
    );
    await machine.start();
    assert.deepEqual(await machine.exited, { reason: "powered-off" });
    assert.equal(vm.config.name, "unit");
    assert.equal(vm.config.vcpus, 2);
    assert.equal(vm.config.cpuProfile, "fake-v1");
    assert.deepEqual(vm.config.memory, [
      { at: 0, sizeBytes: 0xa0000 },
      { at: 0xc0000, sizeBytes: 16 * 2 ** 20 - 0xc0000 },
    ]);
    assert.equal((await vm.vcpus[0]!.getRegisters()).rip, BigInt(FAKE_KERNEL_AT));
    await rz.dispose();
  });

  it("leaves a hole below 4 GiB in a large machine", async () => {
    const { vm, rz } = await inlineMachine([], { memory: "5GiB" });
    assert.deepEqual(vm.config.memory.slice(1), [
      { at: 0xc0000, sizeBytes: 0xc0000000 - 0xc0000 },
      { at: 0x100000000, sizeBytes: 2 * 2 ** 30 },
    ]);
    await rz.dispose();
  });

  it("refuses start while it starts, runs or is paused, and after dispose", async () => {
    const { machine } = await inlineMachine([]);
    const starting = machine.start();
    await assert.rejects(machine.start(), coded("STATE_CONFLICT"));
    await starting;
    await assert.rejects(machine.start(), /is running, and must be created or stopped/);
    await machine.pause();
    await assert.rejects(machine.start(), coded("STATE_CONFLICT"));
    await machine.dispose();
    await assert.rejects(machine.start(), coded("VM_NOT_OPEN"));
  });

  it("pauses and resumes, twice without harm, and only when it runs", async () => {
    const { machine, vm } = await inlineMachine([]);
    await assert.rejects(machine.pause(), coded("STATE_CONFLICT"));
    await assert.rejects(machine.resume(), coded("STATE_CONFLICT"));
    await machine.start();
    await machine.pause();
    await machine.pause();
    assert.equal(machine.state, "paused");
    assert.equal(vm.running, false);
    await machine.resume();
    await machine.resume();
    assert.equal(machine.state, "running");
    assert.equal(vm.running, true);
    await machine.dispose();
  });

  it("stops in any state, twice without harm, and says so in its exit", async () => {
    const { machine, vm } = await inlineMachine([]);
    await machine.stop();
    assert.equal(machine.state, "created");
    await machine.start();
    await Promise.all([machine.stop(), machine.stop()]);
    assert.equal(machine.state, "stopped");
    assert.equal(vm.running, false);
    assert.deepEqual(await machine.exited, { reason: "stopped" });
    await machine.dispose();
    await assert.rejects(machine.stop(), coded("VM_NOT_OPEN"));
  });

  it("stops a machine that is still starting, once it has started", async () => {
    const { machine } = await inlineMachine([]);
    const started = machine.start();
    await machine.stop();
    await started;
    assert.equal(machine.state, "stopped");
    await machine.dispose();
  });

  it("boots afresh after a stop: reset, image, registers, run", async () => {
    const { machine, vm } = await inlineMachine([{ do: "expect-memory", at: FAKE_KERNEL_AT, bytes: [0x6b] }, off]);
    await machine.start();
    assert.equal((await machine.exited).reason, "powered-off");
    vm.memory.write(FAKE_KERNEL_AT, Uint8Array.of(0));
    vm.calls.length = 0;
    await machine.start();
    assert.equal((await machine.exited).reason, "powered-off");
    assert.deepEqual(vm.calls.slice(0, 3), ["reset", "setRegisters", "run"]);
    await machine.dispose();
  });

  it("resets at the guest's wish: paused first, devices too, and goes on", async () => {
    const resets: string[] = [];
    const seen = device("seen", () => ({ reset: () => void resets.push("device") }));
    // The script starts anew after the reset: the flag in memory ends it the second time.
    const { machine, vm } = await inlineMachine(
      [{ do: "out", port: FAKE_POWER.reset, value: 1 }],
      { devices: [{ plugin: "seen" }] },
      seen,
    );
    const reset = new Promise((resolve) => machine.on("reset", resolve));
    vm.calls.length = 0;
    await machine.start();
    assert.deepEqual(await reset, { cause: "guest" });
    assert.deepEqual(resets.slice(0, 1), ["device"]);
    const at = vm.calls.indexOf("reset");
    assert.ok(vm.calls.slice(0, at).includes("pause"));
    assert.deepEqual(vm.calls.slice(at, at + 3), ["reset", "setRegisters", "run"]);
    await machine.dispose();
  });

  it("resets at the embedder's wish, also while paused, where it stays paused", async () => {
    const { machine, vm } = await inlineMachine([]);
    await assert.rejects(machine.reset(), coded("STATE_CONFLICT"));
    await machine.start();
    await machine.pause();
    await machine.reset();
    assert.equal(machine.state, "paused");
    assert.equal(vm.running, false);
    await machine.resume();
    await machine.reset();
    assert.equal(vm.running, true);
    await machine.dispose();
  });

  it("ends with the guest's code, with a triple fault, or by time", async () => {
    const runs = [
      { steps: [{ do: "out", port: FAKE_POWER.exit, value: 7 }], exit: { reason: "debug-exit", code: 7 } },
      { steps: [{ do: "triple-fault" }], exit: { reason: "triple-fault", vcpu: 0 } },
      { steps: [{ do: "spin" }], exit: { reason: "timeout", afterMs: 20 } },
    ] as const;
    for (const { steps, exit } of runs) {
      const { machine } = await inlineMachine(steps);
      await machine.start({ timeoutMs: 20 });
      assert.deepEqual(await machine.exited, exit);
      assert.equal(machine.state, "stopped");
      await machine.dispose();
    }
  });

  it("is crashed for good when its engine dies, with the flight recorder in the event", async () => {
    const { machine } = await inlineMachine([
      { do: "sleep", ms: 1 },
      { do: "crash", reason: "segmentation fault" },
    ]);
    const crashes: { flightRecorder: string; signal: string | null }[] = [];
    machine.on("crashed", (crash) => crashes.push(crash));
    await machine.start();
    const exit = await machine.exited;
    assert.equal(exit.reason, "crashed");
    assert.equal(machine.state, "crashed");
    assert.equal(crashes[0]?.signal, "SIGSEGV");
    assert.match(crashes[0]!.flightRecorder, /fake step/);
    await assert.rejects(machine.start(), coded("STATE_CONFLICT"));
    await machine.stop();
    await machine.dispose();
  });

  it("disposes twice, at once, and while it starts, and leaves no VM", async () => {
    const { machine, vm } = await inlineMachine([]);
    const started = machine.start();
    await Promise.all([machine.dispose(), machine.dispose()]);
    await started;
    assert.equal(vm.disposed, true);
    assert.equal(machine.state, "disposed");
    assert.deepEqual(await machine.exited, { reason: "stopped" });
  });

  it("lets a listener that throws disturb neither the machine nor the other listeners", async () => {
    const { machine } = await inlineMachine([off]);
    const heard: unknown[] = [];
    const thrown = new Promise((resolve) => {
      const others = process.listeners("uncaughtException");
      process.removeAllListeners("uncaughtException");
      process.once("uncaughtException", (error) => {
        for (const other of others) process.on("uncaughtException", other);
        resolve(error);
      });
    });
    machine.on("exit", () => {
      throw new Error("the embedder's own mistake");
    });
    machine.on("exit", (exit) => heard.push(exit));
    await machine.start();
    await machine.exited;
    assert.match(String(await thrown), /own mistake/);
    assert.equal(heard.length, 1);
    await machine.dispose();
  });
});

describe("Ringzero", () => {
  it("disposes of all its machines, and makes none afterwards", async () => {
    const { rz, backend } = fakeRingzero();
    const machines = [await rz.create(fakeSpec(), INLINE), await rz.create(fakeSpec(), INLINE)];
    await machines[0]!.start();
    await rz.dispose();
    assert.deepEqual(
      machines.map(({ state }) => state),
      ["disposed", "disposed"],
    );
    assert.ok(backend.vms.every((vm) => vm.disposed));
    await assert.rejects(rz.create(fakeSpec(), INLINE), coded("VM_NOT_OPEN"));
  });

  it("refuses to host devices in a process of their own, which is not there yet", async () => {
    const { rz } = fakeRingzero();
    await assert.rejects(rz.create(fakeSpec(), { host: "process" }), coded("VM_UNSUPPORTED"));
  });
});

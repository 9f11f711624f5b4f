// A machine that moves between backends, seen from its embedder and its devices; fakes stand for the engines.

import assert from "node:assert/strict";
import { type DevicePlugin, definePlugin, type MachineContext, RingzeroError } from "@ringzero/api";
import { type MachineOptions, Ringzero } from "@ringzero/core";
import {
  FakeBackend,
  fakeBootPlugin,
  fakeGuest,
  type FakeOptions,
  type FakeVm,
  fakePlatformPlugin,
  FAKE_POWER,
  fakePowerPlugin,
  type FakeStep,
} from "@ringzero/testing";
import { device, fakeSpec, INLINE } from "./fake-machine.js";

const coded =
  (code: string, message = /./) =>
  (error: unknown) =>
    error instanceof RingzeroError && error.code === code && message.test(error.message);

const plugin = (backend: FakeBackend) =>
  definePlugin({ name: backend.name, kind: "backend", api: { min: 1, max: 1 }, create: () => backend });

/** A machine on `one`, where `two` is to be had as well. */
async function between(steps: readonly FakeStep[], two: FakeOptions = {}, ...devices: DevicePlugin[]) {
  const from = new FakeBackend("one");
  const to = new FakeBackend("two", two);
  const rz = new Ringzero({
    plugins: [plugin(from), plugin(to), fakeBootPlugin, fakePlatformPlugin, fakePowerPlugin, devices],
    discover: false,
  });
  const options: MachineOptions = { ...INLINE, backend: "one" };
  const machine = await rz.create(fakeSpec(steps, { devices: devices.map(({ name }) => ({ plugin: name })) }), options);
  await machine.start();
  const engine = fakeGuest(steps);
  return { rz, machine, from, to, engine, vm: from.vms[0]! };
}

/** A device that hands its context out. */
function held(): { plugin: DevicePlugin; context: () => MachineContext; calls: string[] } {
  let given: MachineContext | null = null;
  const calls: string[] = [];
  return {
    plugin: device("held", (context) => {
      given = context;
      return { pause: () => void calls.push("pause"), resume: () => void calls.push("resume") };
    }),
    context: () => given!,
    calls,
  };
}

/** Let a method of every VM that a backend makes never answer. */
function hangIn(backend: FakeBackend, method: "loadState"): void {
  const create = backend.createVm.bind(backend);
  backend.createVm = async (...args) => {
    const vm = await create(...args);
    vm[method] = () => new Promise(() => undefined);
    return vm;
  };
}

/** Let the next pause of a VM take its time, during which it runs. */
function pauseOnceIn(vm: FakeVm, ms: number): void {
  const pause = vm.pause.bind(vm);
  vm.pause = async () => {
    vm.pause = pause;
    await new Promise((later) => setTimeout(later, ms));
  };
}

/** Let the engine of every VM that a backend makes die when a method is called. */
function dieIn(backend: FakeBackend, method: "loadState" | "doorbell"): void {
  const create = backend.createVm.bind(backend);
  backend.createVm = async (...args) => {
    const vm = await create(...args);
    vm[method] = (): never => {
      vm.crash("killed");
      throw new RingzeroError("VM_CRASHED", "its engine ended");
    };
    return vm;
  };
}

describe("a machine that moves", () => {
  it("goes on at the next step on the other backend, with its memory and registers, and says so", async () => {
    const { machine, to, engine, vm, rz } = await between([
      { do: "sleep", ms: 1 },
      { do: "print", text: "first " },
      { do: "sleep", ms: 100 },
      { do: "print", text: "second" },
      { do: "expect-memory", at: 0x2000, bytes: [1, 2, 3] },
      { do: "out", port: FAKE_POWER.off, value: 1 },
    ]);
    const moves: unknown[] = [];
    machine.on("moved", (event) => moves.push(event));
    await machine.console().waitFor(/first /);
    vm.memory.write(0x2000, Uint8Array.of(1, 2, 3));
    const { pausedMs } = await machine.moveTo("two", { engine });
    assert.ok(pausedMs >= 0);
    assert.deepEqual(moves, [{ from: "one", to: "two", pausedMs }]);
    assert.equal(machine.backend, "two");
    assert.match(machine.why, /moved here from one/);
    assert.equal(vm.disposed, true, "the one that it left is gone");
    assert.deepEqual(await machine.exited, { reason: "powered-off" });
    await machine.console().waitFor(/second/);
    assert.deepEqual(to.vms[0]!.calls.slice(0, 3), ["loadState", "run", "pause"]);
    await rz.dispose();
    assert.equal(to.vms[0]!.disposed, true);
  });

  it("stays paused when it was paused, with its devices left alone", async () => {
    const seen = held();
    const { machine, to, engine, rz } = await between([{ do: "spin" }], {}, seen.plugin);
    await machine.pause();
    await machine.moveTo("two", { engine });
    assert.equal(machine.state, "paused");
    assert.equal(to.vms[0]!.running, false);
    assert.deepEqual(seen.calls, ["pause"]);
    await machine.resume();
    assert.equal(to.vms[0]!.running, true);
    await rz.dispose();
  });

  it("holds its devices still meanwhile", async () => {
    const seen = held();
    const { machine, engine, rz } = await between([{ do: "spin" }], {}, seen.plugin);
    await machine.moveTo("two", { engine });
    assert.deepEqual(seen.calls, ["pause", "resume"]);
    await rz.dispose();
  });

  it("takes doorbells along, and interrupts that devices drive meanwhile, in order and with lines that stay asserted", async () => {
    const seen = held();
    const steps: FakeStep[] = [
      { do: "sleep", ms: 30 },
      { do: "out", port: 0x600, value: 1, size: 2 },
    ];
    const { machine, to, engine, vm, rz } = await between(steps, {}, seen.plugin);
    const context = seen.context();
    let rings = 0;
    context.doorbell({ port: 0x600, size: 2 }, () => (rings += 1));
    const [low, high] = [context.interrupts.line(5), context.interrupts.line(9)];
    low.set(true);
    high.set(true);
    const save = vm.saveState.bind(vm);
    vm.saveState = async () => {
      const state = await save();
      low.set(false); // after the state was saved: it must reach the next VM
      context.interrupts.msi(0xfee00000, 0x31);
      assert.throws(() => context.interrupts.msi(0x1000, 1), RangeError);
      return state;
    };
    await machine.moveTo("two", { engine });
    const next = to.vms[0]!;
    assert.deepEqual(next.lines, [
      { gsi: 5, asserted: true },
      { gsi: 9, asserted: true },
      { gsi: 5, asserted: false },
    ]);
    assert.deepEqual(next.messages, [{ at: 0xfee00000, data: 0x31 }]);
    assert.deepEqual(vm.messages, []);
    while (rings === 0) await new Promise((later) => setTimeout(later, 1));
    await rz.dispose();
  });

  it("loses and repeats no byte of its console in either direction", async () => {
    const { machine, engine, rz, from, to } = await between([
      { do: "flood", bytes: 20_000 },
      { do: "echo-line" },
      { do: "spin" },
    ]);
    const received: Uint8Array[] = [];
    machine.on("console", ({ bytes }) => received.push(bytes));
    const line = Buffer.from(`${"x".repeat(4000)}${"y".repeat(3000)}\n`);
    const written = machine.console().write(line.subarray(0, 4096));
    const names = ["two", "one", "two", "one", "two"];
    for (const name of names) {
      await new Promise((later) => setTimeout(later, 3));
      await machine.moveTo(name, { engine });
    }
    await written;
    const last = to.vms.at(-1)!;
    assert.equal(Buffer.from(last.uarts[0]!.reclaim()).toString(), line.subarray(0, 4096).toString());
    const all = Buffer.concat(received);
    const whole = Buffer.from(Uint8Array.from({ length: 20_000 }, (_, i) => i % 251));
    assert.equal(all.compare(whole.subarray(0, all.length)), 0, "in order, nothing twice");
    assert.ok(all.length >= 4096);
    assert.equal(from.vms.filter((vm) => !vm.disposed).length, 0);
    await rz.dispose();
  });

  it("goes on where it was when the other backend refuses its state", async () => {
    const { machine, to, vm, engine, rz } = await between([{ do: "spin" }]);
    const create = to.createVm.bind(to);
    to.createVm = async (...args) => {
      const next = await create(...args);
      next.refuseState = "the state has an IOAPIC of a version that is unknown here";
      return next;
    };
    await assert.rejects(machine.moveTo("two", { engine }), coded("VM_UNSUPPORTED", /IOAPIC/));
    assert.equal(machine.backend, "one");
    assert.equal(machine.state, "running");
    assert.equal(vm.running, true);
    assert.equal(to.vms[0]!.disposed, true);
    await rz.dispose();
  });

  it("is refused before it stops where it can be known before", async () => {
    const steps: FakeStep[] = [{ do: "spin" }];
    for (const [options, code, message] of [
      [{ maxMemoryBytes: 2 ** 20 }, "VM_UNSUPPORTED", /at most 1048576 bytes/],
      [{ available: false, reason: "there is no such device" }, "BACKEND_UNAVAILABLE", /no such device/],
      [{ saveState: false }, "VM_UNSUPPORTED", /cannot load the state/],
      [{ cpuProfiles: ["other"] }, "VM_UNSUPPORTED", /no CPU profile fake-v1/],
      [{ msi: false }, "VM_UNSUPPORTED", /has no msi/],
    ] as const) {
      const { machine, vm, to, engine, rz } = await between(steps, options);
      await assert.rejects(machine.moveTo("two", { engine }), coded(code, message));
      assert.deepEqual(to.vms, []);
      assert.ok(!vm.calls.includes("pause"), "the guest was not stopped");
      await rz.dispose();
    }
    const { machine, rz } = await between(steps);
    await assert.rejects(machine.moveTo("three"), coded("BACKEND_UNKNOWN", /there is no backend three/));
    await assert.rejects(machine.moveTo("two", { engine: { turbo: true } }), coded("VM_UNSUPPORTED", /turbo/));
    assert.equal(machine.state, "running");
    await machine.stop();
    await assert.rejects(machine.moveTo("two"), coded("STATE_CONFLICT"));
    await rz.dispose();
  });

  for (const [what, hang] of [
    ["the other backend makes no VM", (to: FakeBackend) => void (to.createVm = () => new Promise(() => undefined))],
    ["the other backend loads no state", (to: FakeBackend) => hangIn(to, "loadState")],
    ["the engine saves no state", (_: FakeBackend, vm: FakeVm) => void (vm.saveState = () => new Promise(() => undefined))],
    ["the engine does not stop", (_: FakeBackend, vm: FakeVm) => pauseOnceIn(vm, 200)],
  ] as const) {
    it(`goes on where it was when ${what} in time, and says so`, async () => {
      const { machine, to, vm, engine, rz } = await between([{ do: "spin" }]);
      hang(to, vm);
      const began = performance.now();
      await assert.rejects(
        machine.moveTo("two", { engine, timeoutMs: 50 }),
        coded("MOVE_TIMEOUT", /did not answer within 50 ms; the machine goes on where it was/),
      );
      assert.ok(performance.now() - began >= 49);
      assert.deepEqual([machine.backend, machine.state, vm.running], ["one", "running", true]);
      assert.ok(
        to.vms.every(({ disposed }) => disposed),
        "what the other backend made is gone",
      );
      vm.uarts[0]!.guestWrite(Buffer.from("still here")); // its console still goes to the embedder
      await rz.dispose();
    });
  }

  it("puts away what the other backend makes too late", async () => {
    const { machine, to, engine, rz } = await between([{ do: "spin" }]);
    const create = to.createVm.bind(to);
    to.createVm = async (...args) => {
      await new Promise((later) => setTimeout(later, 60));
      return create(...args);
    };
    await assert.rejects(machine.moveTo("two", { engine, timeoutMs: 20 }), coded("MOVE_TIMEOUT"));
    while (to.vms.length === 0 || !to.vms[0]!.disposed) await new Promise((later) => setTimeout(later, 1));
    to.createVm = create;
    await machine.moveTo("two", { engine });
    assert.equal(machine.backend, "two", "it can still move");
    await rz.dispose();
  });

  it("goes on with its devices when one of them does not pause in time", async () => {
    const calls: string[] = [];
    const slow = device("slow", () => ({
      pause: () => new Promise<void>((done) => setTimeout(done, calls.push("pause") === 1 ? 300 : 0)),
      resume: () => void calls.push("resume"),
    }));
    const { machine, to, vm, engine, rz } = await between([{ do: "spin" }], {}, slow);
    await assert.rejects(
      machine.moveTo("two", { engine, timeoutMs: 30 }),
      coded("MOVE_TIMEOUT", /a device that was asked to pause/),
    );
    assert.deepEqual([machine.backend, machine.state, vm.running, calls], ["one", "running", true, ["pause", "resume"]]);
    assert.equal(to.vms[0]!.disposed, true);
    await machine.moveTo("two", { engine });
    assert.equal(machine.backend, "two");
    await rz.dispose();
  });

  it("goes on where it was when the other engine dies midway, at each step", async () => {
    for (const [when, code] of [
      ["doorbell", "VM_CRASHED"],
      ["loadState", "VM_CRASHED"],
    ] as const) {
      const bell = device("bell", (context) => void context.doorbell({ port: 0x600, size: 2 }, () => undefined));
      const { machine, to, vm, engine, rz } = await between([{ do: "spin" }], {}, bell);
      dieIn(to, when);
      await assert.rejects(machine.moveTo("two", { engine }), coded(code, /engine ended/));
      assert.deepEqual([machine.backend, machine.state, vm.running], ["one", "running", true], when);
      assert.equal(to.vms[0]!.disposed, true);
      await rz.dispose();
    }
  });

  it("has moved when what it left behind cannot be put away, and warns", async () => {
    const { machine, vm, engine, rz } = await between([{ do: "spin" }]);
    const warnings: string[] = [];
    machine.on("log", ({ level, message }) => level === "warn" && warnings.push(message));
    vm.dispose = () => new Promise(() => undefined);
    await machine.moveTo("two", { engine, timeoutMs: 30 });
    assert.deepEqual([machine.backend, machine.state], ["two", "running"]);
    assert.match(warnings.join(), /what the machine left behind could not be put away: .* within 30 ms/);
    await rz.dispose();
  });

  it("refuses a time limit that is none", async () => {
    const { machine, engine, rz } = await between([{ do: "spin" }]);
    for (const timeoutMs of [0, -1, Number.NaN, 2 ** 31])
      await assert.rejects(machine.moveTo("two", { engine, timeoutMs }), RangeError);
    assert.equal(machine.state, "running");
    await rz.dispose();
  });

  it("stays where it is when it ends, or its engine dies, before it could move", async () => {
    for (const [end, state] of [
      [{ do: "out", port: FAKE_POWER.off, value: 1 }, "stopped"],
      [{ do: "crash", reason: "segmentation fault" }, "crashed"],
    ] as const) {
      const { machine, to, engine, rz } = await between([{ do: "sleep", ms: 5 }, end]);
      const create = to.createVm.bind(to);
      to.createVm = async (...args) => {
        while (machine.state === "running") await new Promise((later) => setTimeout(later, 1)); // the guest ends meanwhile
        return create(...args);
      };
      await assert.rejects(machine.moveTo("two", { engine }), coded("STATE_CONFLICT"));
      assert.equal(machine.state, state);
      assert.ok(to.vms.every((vm) => vm.disposed));
      await rz.dispose();
    }
  });

  it("hears of a crash on the backend that it is on now, and not of one that it left", async () => {
    const { machine, to, vm, engine, rz } = await between([{ do: "spin" }]);
    await machine.moveTo("two", { engine });
    vm.crash("long gone");
    assert.equal(machine.state, "running");
    to.vms[0]!.crash("now");
    const exit = await machine.exited;
    assert.equal(exit.reason, "crashed");
    await rz.dispose();
  });
});

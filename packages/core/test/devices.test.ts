// Devices in a machine: claims, isolation of their mistakes, order of their going, time.

import assert from "node:assert/strict";
import { type AttachedDevice, type Claim, RingzeroError } from "@ringzero/api";
import { Ringzero } from "@ringzero/core";
import { FAKE_POWER, FakeClock, fakePlugins } from "@ringzero/testing";
import { device, fakeRingzero, fakeSpec, INLINE, inlineMachine } from "./fake-machine.js";

const off = { do: "out", port: FAKE_POWER.off, value: 1 } as const;

describe("a device that throws", () => {
  it("ends its machine with device-error, and no other machine", async () => {
    const { rz } = fakeRingzero();
    const bad = await rz.create(fakeSpec([{ do: "out", port: FAKE_POWER.throw, value: 9 }]), INLINE);
    const good = await rz.create(fakeSpec([{ do: "sleep", ms: 30 }, off]), INLINE);
    const errors: { device: string; message: string }[] = [];
    bad.on("device-error", (error) => errors.push(error));
    await good.start();
    await bad.start();
    assert.deepEqual(await bad.exited, {
      reason: "device-error",
      device: "power",
      message: "the guest made this device throw with 9",
    });
    assert.equal(bad.state, "crashed");
    assert.equal(errors.length, 1);
    assert.deepEqual(await good.exited, { reason: "powered-off" });
    await rz.dispose();
  });

  it("is caught in a timer, in a doorbell and in pause too", async () => {
    const thrower = (when: string) => () => {
      throw new Error(`in ${when}`);
    };
    const plans: [string, Parameters<typeof device>[1]][] = [
      ["timer", (machine) => void machine.clock.after(1, thrower("timer"))],
      ["doorbell", (machine) => void machine.doorbell({ port: 0x700, size: 1 }, thrower("doorbell"))],
      ["pause", () => ({ pause: thrower("pause") })],
    ];
    for (const [when, attach] of plans) {
      const { machine } = await inlineMachine(
        [{ do: "out", port: 0x700, value: 1 }],
        { devices: [{ plugin: "bad" }] },
        device("bad", attach),
      );
      await machine.start();
      if (when === "pause") await machine.pause();
      assert.deepEqual(await machine.exited, { reason: "device-error", device: "bad0", message: `in ${when}` });
      await machine.dispose();
    }
  });

  it("while attaching leaves nothing: no VM, no claim, and says which device it was", async () => {
    const undone: string[] = [];
    const first = device("first", () => ({ dispose: () => void undone.push("first") }));
    const bad = device("bad", (machine) => {
      machine.ports.claim({ first: 0x700, count: 1 }, {});
      throw new Error("no such file");
    });
    const { rz, backend } = fakeRingzero(first, bad);
    const spec = fakeSpec([], { devices: [{ plugin: "first" }, { plugin: "bad" }] });
    await assert.rejects(rz.create(spec, INLINE), (error) => {
      assert.ok(error instanceof RingzeroError);
      assert.equal(error.code, "VM_PLUGIN_FAILED");
      assert.equal(error.message, "device bad0 (plugin bad) failed to attach: no such file");
      assert.match(String(error.cause), /no such file/);
      return true;
    });
    assert.deepEqual(undone, ["first"]);
    assert.equal(backend.vms[0]?.disposed, true);
  });
});

describe("devices", () => {
  it("that claim the same port are refused with both names", async () => {
    const at = (name: string, first: number) => device(name, (machine) => void machine.ports.claim({ first, count: 4 }, {}));
    const { rz, backend } = fakeRingzero(at("left", 0x700), at("right", 0x703));
    await assert.rejects(rz.create(fakeSpec([], { devices: [{ plugin: "left" }, { plugin: "right" }] }), INLINE), (error) => {
      assert.ok(error instanceof RingzeroError && error.code === "BUS_OVERLAP");
      assert.match(error.message, /right0 claims ports 0x703\.\.0x706, but left0 has 0x700\.\.0x703/);
      return true;
    });
    assert.equal(backend.vms[0]?.disposed, true);
  });

  it("go last first, after the VM was halted and before it is gone", async () => {
    const order: string[] = [];
    let halted: () => boolean = () => false;
    const named = (name: string) =>
      device(name, () => ({ dispose: () => void order.push(`${name} ${halted() ? "halted" : "running"}`) }));
    const { machine, vm } = await inlineMachine([], { devices: [{ plugin: "a" }, { plugin: "b" }] }, named("a"), named("b"));
    halted = () => !vm.running && !vm.disposed;
    await machine.start();
    await machine.dispose();
    assert.deepEqual(order, ["b halted", "a halted"]);
    assert.equal(vm.disposed, true);
  });

  it("see the machine, its lines and its memory, and are paused and resumed with it", async () => {
    const calls: string[] = [];
    const life = (): AttachedDevice => ({ pause: () => void calls.push("pause"), resume: () => void calls.push("resume") });
    const plugin = device("probe", (machine) => {
      assert.deepEqual(machine.machine, { name: "seen", cpus: 1, memoryBytes: 2 ** 24 });
      machine.memory.write(0x2000, Uint8Array.of(1, 2, 3));
      machine.interrupts.line(4).pulse();
      machine.interrupts.msi(0xfee00000, 0x41);
      machine.log.info({ answer: 42 }, "attached");
      return life();
    });
    const { rz, backend } = fakeRingzero(plugin);
    const machine = await rz.create(fakeSpec([], { name: "seen", devices: [{ plugin: "probe" }] }), INLINE);
    const vm = backend.vms[0]!;
    await machine.start();
    await machine.pause();
    await machine.resume();
    assert.deepEqual(calls, ["pause", "resume"]);
    assert.deepEqual([...vm.memory.read(0x2000, 3)], [1, 2, 3]);
    assert.deepEqual(vm.lines, [
      { gsi: 4, asserted: true },
      { gsi: 4, asserted: false },
    ]);
    assert.deepEqual(vm.messages, [{ at: 0xfee00000, data: 0x41 }]);
    await rz.dispose();
  });

  it("share an interrupt line: asserted while any of them asserts", async () => {
    const lines: { set(asserted: boolean): void }[] = [];
    const plugin = device("holder", (machine) => void lines.push(machine.interrupts.line(9)));
    const { vm, machine } = await inlineMachine([], { devices: [{ plugin: "holder" }, { plugin: "holder" }] }, plugin);
    for (const [i, asserted] of [
      [0, true],
      [1, true],
      [0, false],
      [1, false],
      [1, false],
    ] as const)
      lines[i]!.set(asserted);
    assert.deepEqual(vm.lines, [
      { gsi: 9, asserted: true },
      { gsi: 9, asserted: false },
    ]);
    await machine.dispose();
  });

  it("get the clock that the test gave, and lose their timers with the machine", async () => {
    const clock = new FakeClock(1000);
    const fired: number[] = [];
    const armed: Claim[] = [];
    const plugin = device("timer", (machine) => {
      machine.clock.after(10, () => fired.push(machine.clock.wallMs()));
      armed.push(machine.clock.after(20, () => fired.push(-1)));
    });
    const rz = new Ringzero({ plugins: [fakePlugins, plugin], discover: false, clock });
    await rz.create(fakeSpec([], { devices: [{ plugin: "timer" }] }), INLINE);
    clock.advance(15);
    assert.deepEqual(fired, [1010]);
    assert.equal(clock.pending, 1);
    await rz.dispose();
    assert.equal(clock.pending, 0);
  });

  it("serve doorbells without stopping the guest", async () => {
    let rings = 0;
    const plugin = device(
      "bell",
      (machine) => void machine.doorbell({ port: 0x710, size: 4, value: 2 }, () => void (rings += 1)),
    );
    const ring = { do: "out", port: 0x710, size: 4 } as const;
    const { machine } = await inlineMachine(
      [{ ...ring, value: 2 }, { ...ring, value: 3 }, { do: "sleep", ms: 5 }, off],
      { devices: [{ plugin: "bell" }] },
      plugin,
    );
    await machine.start();
    await machine.exited;
    assert.equal(rings, 1);
    await machine.dispose();
  });
});

describe("a device's commands", () => {
  for (const host of ["inline", "worker"] as const) {
    it(`are done from the embedder's side, with a device hosted ${host}`, async () => {
      await using rz = new Ringzero({ discover: import.meta.url, plugins: ["@ringzero/testing"] });
      const machine = await rz.create(fakeSpec([{ do: "spin" }]), { host });
      await assert.rejects(machine.command("power", "echo"), { code: "STATE_CONFLICT" });
      await machine.start();
      assert.deepEqual(await machine.command("power", "echo", { keys: [1, 2] }), { echo: { keys: [1, 2] } });
      await assert.rejects(machine.command("power", "refuse"), { name: "TypeError", message: "this command takes nothing" });
      await assert.rejects(
        machine.command("power", "constructor"),
        /RangeError: no device power .*there are: power echo, power refuse/,
      );
      await assert.rejects(machine.command("keyboard", "echo"), { name: "RangeError" });
      await machine.command("power", "power-off");
      assert.deepEqual(await machine.exited, { reason: "powered-off" });
    });
  }
});

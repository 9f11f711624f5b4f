// How backends are measured and which one `auto` takes, with fakes that answer the calibration guest's port at a given speed.

import assert from "node:assert/strict";
import { type Backend, definePlugin, type ExitHandler, RingzeroError, type VmConfig } from "@ringzero/api";
import { Ringzero } from "@ringzero/core";
import { FakeBackend, FakeClock, type FakeOptions, fakePlugins, type FakeVm } from "@ringzero/testing";
import { fakeSpec, INLINE } from "./fake-machine.js";

const PORT = 0x5a4;
const INSTRUCTIONS_PER_ROUND = 12;

interface Behaviour {
  /** Ring-0 speed of the guest; 0: it never leaves the engine. */
  readonly speed?: number;
  readonly claimsHardware?: boolean;
  /** What each round trip costs beside the guest's own time, milliseconds; default 0.03. */
  readonly waitMs?: number;
  readonly options?: FakeOptions;
  /** Instead of running the calibration guest. */
  readonly run?: (vm: FakeVm, handler: ExitHandler) => void;
  readonly create?: (clock: FakeClock) => Promise<void>;
}

/** An engine whose guest does what the calibration guest does, in the time of a fake clock. */
class TimedBackend extends FakeBackend implements Backend {
  constructor(
    name: string,
    readonly clock: FakeClock,
    readonly behaviour: Behaviour,
  ) {
    super(name, behaviour.options);
  }

  override async probe() {
    return { ...(await super.probe()), claimsHardware: this.behaviour.claimsHardware ?? false };
  }

  override async createVm(config: VmConfig, handler: ExitHandler): Promise<FakeVm> {
    await this.behaviour.create?.(this.clock);
    const vm = await super.createVm(config, handler);
    const speed = this.behaviour.speed ?? 0;
    const ask = () => {
      if (vm.disposed) return;
      const rounds = Number(handler({ kind: "port-in", vcpu: 0, port: PORT, size: 4 }));
      if (rounds === 0) return;
      this.clock.advance(((rounds * INSTRUCTIONS_PER_ROUND) / speed) * 1e3 + (this.behaviour.waitMs ?? 0.03));
      setImmediate(ask);
    };
    vm.run = () => {
      if (this.behaviour.run) this.behaviour.run(vm, handler);
      else if (speed > 0) setImmediate(ask);
      else setImmediate(() => this.clock.advance(1_000));
    };
    return vm;
  }
}

const backends = fakePlugins.filter(({ kind }) => kind !== "backend");

function lab(behaviours: Record<string, Behaviour>) {
  const clock = new FakeClock();
  const made: Record<string, TimedBackend[]> = {};
  const plugins = Object.entries(behaviours).map(([name, behaviour]) =>
    definePlugin({
      name,
      kind: "backend",
      api: { min: 1, max: 1 },
      create: () => {
        const backend = new TimedBackend(name, clock, behaviour);
        (made[name] ??= []).push(backend);
        return backend;
      },
    }),
  );
  const open = () => new Ringzero({ plugins: [backends, ...plugins], discover: false, clock });
  const vms = () => Object.values(made).flatMap((all) => all.flatMap((backend) => backend.vms));
  return { open, vms, clock };
}

async function measured(behaviour: Behaviour) {
  const { open, vms, clock } = lab({ one: behaviour });
  await using rz = open();
  const [report] = await rz.backends({ calibrate: true });
  return { speed: report!.calibratedInstructionsPerSecond, note: report!.calibrationNote!, vms: vms(), clock };
}

describe("calibration of a backend", () => {
  for (const speed of [9e5, 5e7, 4e9]) {
    it(`measures ${speed} instructions a second to a tenth, within its budget, and leaves nothing`, async () => {
      const { speed: found, note, vms, clock } = await measured({ speed });
      assert.ok(Math.abs(found! / speed - 1) < 0.1, `measured ${found}`);
      assert.equal(note, "measured");
      assert.deepEqual(
        vms.map(({ disposed }) => disposed),
        [true],
      );
      assert.ok(clock.nowNs() < 100_000_000n);
      assert.equal(clock.pending, 0);
    });
  }

  it("is not deceived by a busy host, where each batch waits 8 ms for its turn", async () => {
    const { speed } = await measured({ speed: 2e8, waitMs: 8 });
    assert.ok(speed! > 1e8, `measured ${speed}`);
  });

  it("is not deceived by an emulated host that is busy, where each batch waits 40 ms", async () => {
    const { speed } = await measured({ speed: 2e8, waitMs: 40 });
    assert.ok(speed! > 2e7, `measured ${speed}`);
  });

  it("gives what it knows of a guest too slow to finish", async () => {
    const { speed, note, vms } = await measured({ speed: 1e4 });
    assert.ok(Math.abs(speed! / 1e4 - 1) < 0.1, `measured ${speed}`);
    assert.match(note, /^measured in part: the guest was not done after 250 ms$/);
    assert.ok(vms[0]!.disposed);
  });

  it("says why a guest that never leaves, an engine that dies, a wrong exit and a refused machine give no speed", async () => {
    const never = await measured({ speed: 0 });
    assert.deepEqual([never.speed, never.note], [null, "not measured: the guest was not done after 250 ms"]);
    assert.ok(never.vms[0]!.disposed);
    const dies = await measured({ run: (vm) => setImmediate(() => vm.crash("out of luck")) });
    assert.deepEqual([dies.speed, dies.note], [null, "not measured: the engine crashed: out of luck"]);
    const wrong = await measured({ run: (_, handler) => handler({ kind: "shutdown", vcpu: 0, cause: "triple-fault" }) });
    assert.deepEqual([wrong.speed, wrong.note], [null, "not measured: the guest left with an exit that is not in it: shutdown"]);
    const refused = await measured({ create: () => Promise.reject(new RingzeroError("VM_HOST_FAILURE", "no memory")) });
    assert.deepEqual([refused.speed, refused.note, refused.vms], [null, "not measured: no memory", []]);
    const absent = await measured({ speed: 1e9, options: { available: false, reason: "no device" } });
    assert.deepEqual([absent.speed, absent.note, absent.vms], [null, "not measured: it is not available", []]);
  });

  it("does not count the making of the machine, which takes long on a host that is itself emulated, but limits it", async () => {
    const slow = await measured({ speed: 5e7, create: async (clock) => clock.advance(1_900) });
    assert.ok(Math.abs(slow.speed! / 5e7 - 1) < 0.1, `measured ${slow.speed}`);
    assert.equal(slow.note, "measured");
    const late = await measured({ speed: 5e7, create: async (clock) => clock.advance(2_100) });
    assert.deepEqual([late.speed, late.note], [null, "not measured: its machine was not made after 2000 ms"]);
    assert.ok(late.vms[0]!.disposed);
    assert.equal(late.clock.pending, 0);
  });

  it("happens once a process, and only when asked for", async () => {
    const { open, vms } = lab({ one: { speed: 1e9 } });
    await using first = open();
    assert.equal((await first.backends())[0]!.calibratedInstructionsPerSecond, null);
    assert.equal(vms().length, 0);
    const [a, b] = await Promise.all([first.backends({ calibrate: true }), first.backends({ calibrate: true })]);
    await using second = open();
    assert.deepEqual(a, b);
    assert.deepEqual(await second.backends({ calibrate: true }), a);
    assert.equal(vms().length, 1);
  });
});

describe("auto", () => {
  async function auto(behaviours: Record<string, Behaviour>) {
    const { open, vms } = lab(behaviours);
    await using rz = open();
    const { backend, why } = await rz.validate(fakeSpec([], { engine: {} }), INLINE);
    return { backend, why, measuredVms: vms().length };
  }
  const hardware = (speed: number): Behaviour => ({ speed, claimsHardware: true });

  it("takes hardware that is as fast as hardware, also where a loop of a translator measures faster", async () => {
    const { backend, why } = await auto({ bt: { speed: 9e8 }, kvm: hardware(6e8) });
    assert.equal(backend, "kvm");
    assert.match(why, /^kvm: the processor runs the guest, (59\d|600) million instructions a second in ring 0$/);
  });

  it("does not take a device that emulates ring 0, and says so", async () => {
    const { backend, why, measuredVms } = await auto({ kvm: hardware(9e5), bt: { speed: 5e8 } });
    assert.equal(backend, "bt");
    assert.equal(measuredVms, 1); // nothing is left to compare with
    assert.match(why, /^bt: .*; kvm: this host runs ring 0 in software, 0\.9 million instructions a second; .*by name$/);
  });

  it("does not take it for want of another either, and tells how to have it", async () => {
    const { backend, why } = await auto({ kvm: hardware(9e5) });
    assert.equal(backend, null);
    assert.match(
      why,
      /no backend can run this machine here: kvm: this host runs ring 0 in software.*ask for backend kvm by name/,
    );
  });

  it("does not take hardware that could not be measured, or is far behind another", async () => {
    const silent = await auto({ kvm: hardware(0), bt: { speed: 3e8 } });
    assert.equal(silent.backend, "bt");
    assert.match(silent.why, /kvm: whether ring 0 runs in hardware could not be measured \(not measured: the guest was not done/);
    const slow = await auto({ kvm: hardware(8e6), bt: { speed: 3e8 } });
    assert.equal(slow.backend, "bt");
    assert.match(
      slow.why,
      /kvm: ring 0 is too slow for hardware, (7\.9|8\.0) million.* where another backend does (29\d|300) million/,
    );
  });

  it("measures nothing where there is nothing to choose", async () => {
    const { backend, measuredVms } = await auto({
      bt: { speed: 1e9 },
      kvm: { claimsHardware: true, options: { available: false, reason: "no /dev/kvm" } },
    });
    assert.deepEqual([backend, measuredVms], ["bt", 0]);
  });

  it("does not measure a backend that is asked for by name", async () => {
    const { open, vms } = lab({ bt: { speed: 1e9 }, kvm: hardware(9e5) });
    await using rz = open();
    const { backend } = await rz.validate(fakeSpec([], { engine: {} }), { ...INLINE, backend: "kvm" });
    assert.deepEqual([backend, vms().length], ["kvm", 0]);
  });
});

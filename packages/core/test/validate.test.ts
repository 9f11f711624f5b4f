// Everything that can be wrong with a specification, found at once and before anything starts.

import assert from "node:assert/strict";
import { definePlugin, RingzeroError, Type, type MachineSpec, type SpecProblem } from "@ringzero/api";
import { Ringzero } from "@ringzero/core";
import { FakeBackend, fakePlugins } from "@ringzero/testing";
import { tmpdir } from "node:os";
import { device, fakeRingzero, fakeSpec, INLINE, KERNEL } from "./fake-machine.js";

const brief = (problems: readonly SpecProblem[]) => problems.map(({ path, code }) => `${path} ${code}`).sort();

async function problemsOf(spec: unknown, options = INLINE): Promise<readonly SpecProblem[]> {
  const { rz } = fakeRingzero(
    definePlugin({
      name: "card",
      kind: "device",
      api: { min: 1, max: 1 },
      options: Type.Object({ port: Type.Integer({ minimum: 0, maximum: 0xffff }) }, { additionalProperties: false }),
      attach() {},
    }),
  );
  return (await rz.validate(spec, options)).problems;
}

const one = async (changes: object) => brief(await problemsOf({ ...fakeSpec(), ...changes }));

describe("validate", () => {
  it("finds nothing wrong with a good specification, and says which backend and why", async () => {
    const { rz } = fakeRingzero();
    const report = await rz.validate(fakeSpec(), INLINE);
    assert.deepEqual(report, {
      ok: true,
      problems: [],
      backend: "fake",
      why: "fake: the only one that can run this machine here",
    });
  });

  it("finds several problems in one go", async () => {
    const spec = {
      cpus: 0,
      memory: "3 bytes",
      kernl: "vmlinuz",
      platform: "fake-pc",
      boot: { kind: "linux", kernel: "/nonexistent/vmlinuz", initrd: ["/nonexistent/initrd"] },
      devices: [{ plugin: "toaster" }, { plugin: "card", options: { port: "x", colour: "red" } }],
    };
    assert.deepEqual(brief(await problemsOf(spec)), [
      "boot.initrd[0] file-missing",
      "boot.kernel file-missing",
      "cpus out-of-range",
      "devices[0].plugin unknown-plugin",
      "devices[1].options.colour unknown-field",
      "devices[1].options.port wrong-type",
      "kernl unknown-field",
      "memory bad-size",
    ]);
  });

  it("judges memory", async () => {
    assert.deepEqual(await one({ memory: "3 bytes" }), ["memory bad-size"]);
    assert.deepEqual(await one({ memory: 3 }), ["memory out-of-range"]);
    assert.deepEqual(await one({ memory: "1MiB" }), ["memory out-of-range"]);
    assert.deepEqual(await one({ memory: "2TiB" }), ["memory out-of-range"]);
    assert.deepEqual(await one({ memory: 2 ** 24 + 1 }), ["memory out-of-range"]);
    assert.deepEqual(await one({ memory: [] }), ["memory wrong-type"]);
    assert.deepEqual(await one({ memory: undefined }), ["memory missing"]);
    assert.deepEqual(await one({ memory: 2 ** 24 }), []);
  });

  it("judges processors", async () => {
    assert.deepEqual(await one({ cpus: 0 }), ["cpus out-of-range"]);
    assert.deepEqual(await one({ cpus: 1.5 }), ["cpus wrong-type"]);
    assert.deepEqual(await one({ cpus: "2" }), ["cpus wrong-type"]);
    assert.deepEqual(await one({ cpus: 300 }), ["cpus out-of-range"]);
  });

  it("judges the way of booting", async () => {
    assert.deepEqual(await one({ boot: undefined }), ["boot missing"]);
    assert.deepEqual(await one({ boot: "vmlinuz" }), ["boot wrong-type"]);
    assert.deepEqual(await one({ boot: {} }), ["boot.kind missing"]);
    assert.deepEqual(await one({ boot: { kind: "tape" } }), ["boot.kind bad-value"]);
    assert.deepEqual(await one({ boot: { kind: "linux" } }), ["boot.kernel missing"]);
    assert.deepEqual(await one({ boot: { kind: "linux", kernel: KERNEL, image: "x" } }), ["boot.image unknown-field"]);
    assert.deepEqual(await one({ boot: { kind: "firmware", image: tmpdir() } }), ["boot.image file-unreadable"]);
    assert.deepEqual(
      await one({ boot: { kind: "multiboot", kernel: KERNEL, modules: [`${KERNEL} with words`, "/nonexistent a"] } }),
      ["boot.modules[1] file-missing"],
    );
  });

  it("judges devices, their ids and their options", async () => {
    assert.deepEqual(await one({ devices: [{ plugin: "card" }] }), ["devices[0].options.port missing"]);
    const twice = { id: "a", plugin: "card", options: { port: 1 } };
    assert.deepEqual(await one({ devices: [twice, twice] }), ["devices[1].id duplicate-id"]);
    assert.deepEqual(await one({ devices: [{ ...twice, id: "Not An Id" }] }), ["devices[0].id bad-value"]);
    assert.deepEqual(await one({ devices: [{ ...twice, id: "power" }] }), ["devices[0].id duplicate-id"]);
  });

  it("refuses what is no data", async () => {
    assert.deepEqual(brief(await problemsOf(null)), [" wrong-type"]);
    assert.deepEqual(brief(await problemsOf([])), [" wrong-type"]);
    assert.deepEqual(await one({ devices: [{ plugin: "card", options: { port: () => 1 } }] }), [
      "devices[0].options.port not-serialisable",
    ]);
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    assert.deepEqual(await one({ engine: cycle }), ["engine.self bad-value", "engine.self not-serialisable"]);
  });

  it("refuses disks and NICs for now, and unknown platforms", async () => {
    const disks = [{ disk: { plugin: "qcow2" } }];
    const nics = [{ network: { plugin: "user" } }];
    assert.deepEqual(await one({ disks, nics }), ["disks not-yet", "nics not-yet"]);
    assert.deepEqual(await one({ platform: "amiga" }), ["platform unknown-plugin"]);
  });

  it("measures the machine against the backend's capabilities", async () => {
    assert.deepEqual(await one({ cpus: 5 }), ["cpus over-capability"]);
    assert.deepEqual(await one({ memory: "32GiB" }), ["memory over-capability"]);
    assert.deepEqual(await one({ cpuProfile: "z80" }), ["cpuProfile over-capability"]);
    assert.deepEqual(brief(await problemsOf(fakeSpec(), { ...INLINE, backend: "vmx" })), [" unknown-backend"]);
  });

  it("suggests the nearest name", async () => {
    const problems = await problemsOf({ ...fakeSpec(), memroy: 1, devices: [{ plugin: "crad", options: { port: 1 } }] });
    assert.match(problems.find(({ path }) => path === "memroy")!.message, /did you mean memory\?/);
    assert.match(problems.find(({ path }) => path === "devices[0].plugin")!.message, /did you mean card\?/);
  });

  it("says which plugins were given as objects when they would have to go to a worker", async () => {
    const problems = await problemsOf(fakeSpec([], { devices: [{ plugin: "card", options: { port: 1 } }] }), {});
    assert.deepEqual(brief(problems), [" not-serialisable", " not-serialisable"]);
    assert.match(problems[1]!.message, /device plugin card was given as an object.*host: "inline"/);
  });
});

describe("create", () => {
  it("throws all problems in one error and makes no VM", async () => {
    const { rz, backend } = fakeRingzero();
    const bad = { ...fakeSpec(), cpus: 0, memory: "3 bytes" } as MachineSpec;
    await assert.rejects(rz.create(bad, INLINE), (error) => {
      assert.ok(error instanceof RingzeroError);
      assert.equal(error.code, "SPEC_INVALID");
      assert.deepEqual(brief(error.problems), ["cpus out-of-range", "memory bad-size"]);
      assert.match(error.message, /2 problems:\n {2}cpus: must be >= 1, not 0\n {2}memory: "3 bytes" is not a size/);
      return true;
    });
    assert.equal(backend.vms.length, 0);
  });

  it("has codes of their own for a backend that is unknown or does not work here", async () => {
    const { rz } = fakeRingzero();
    const code = (expected: string) => (error: unknown) => error instanceof RingzeroError && error.code === expected;
    await assert.rejects(rz.create(fakeSpec(), { ...INLINE, backend: "vmx" }), code("BACKEND_UNKNOWN"));
    const broken = definePlugin({
      name: "broken",
      kind: "backend",
      api: { min: 1, max: 1 },
      create: () => new FakeBackend("broken", { available: false, reason: "no such hardware" }),
    });
    await using other = new Ringzero({
      plugins: [fakePlugins.filter(({ kind }) => kind !== "backend"), broken],
      discover: false,
    });
    await assert.rejects(
      other.create(fakeSpec(), INLINE),
      (error) => code("BACKEND_UNAVAILABLE")(error) && /broken: no such hardware/.test(String(error)),
    );
  });
});

describe("the choice of a backend", () => {
  const fake = (name: string, options: ConstructorParameters<typeof FakeBackend>[1]) =>
    definePlugin({ name, kind: "backend", api: { min: 1, max: 1 }, create: () => new FakeBackend(name, options) });
  const rest = fakePlugins.filter(({ kind }) => kind !== "backend");

  async function chosen(...backends: ReturnType<typeof fake>[]) {
    await using rz = new Ringzero({ plugins: [rest, ...backends], discover: false });
    const { backend, why } = await rz.validate(fakeSpec([], { cpus: 2, engine: {} }), INLINE);
    return { backend, why };
  }

  it("takes the fastest measured, then the unmeasured in order, and explains the others", async () => {
    const slow = fake("slow", { instructionsPerSecond: 1e6 });
    const fast = fake("fast", { instructionsPerSecond: 9e8 });
    const unknown = fake("unknown", {});
    const small = fake("small", { maxVcpus: 1, instructionsPerSecond: 1e12 });
    const absent = fake("absent", { available: false, reason: "no hardware" });
    assert.deepEqual(await chosen(slow, unknown, fast, small, absent), {
      backend: "fast",
      why: "fast: the fastest measured, 900 million instructions a second; small: backend small runs at most 1 processors, not 2; absent: no hardware",
    });
    assert.equal((await chosen(absent, unknown)).backend, "unknown");
    assert.equal((await chosen(unknown, fake("second", {}))).backend, "unknown");
  });

  it("says that none is installed", async () => {
    assert.match((await chosen()).why, /none is installed: add @ringzero\/backend-bt/);
  });

  it("takes a backend whose probe throws for one that does not work", async () => {
    const thrower = definePlugin({
      name: "thrower",
      kind: "backend",
      api: { min: 1, max: 1 },
      create: () => {
        throw new Error("addon missing");
      },
    });
    assert.match((await chosen(thrower)).why, /thrower: its probe failed: addon missing/);
  });
});

it("a device plugin of the test's own needs no module when it is hosted inline", async () => {
  const attached: string[] = [];
  const { rz } = fakeRingzero(device("mine", (machine) => void attached.push(machine.id)));
  await rz.create(fakeSpec([], { devices: [{ plugin: "mine" }, { plugin: "mine" }, { id: "third", plugin: "mine" }] }), INLINE);
  assert.deepEqual(attached, ["mine0", "mine1", "third"]);
  await rz.dispose();
});

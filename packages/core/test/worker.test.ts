// Devices in a worker: the same machine as inline, while the embedder's thread keeps its pace and outlives whatever happens there.

import assert from "node:assert/strict";
import { definePlugin, RingzeroError } from "@ringzero/api";
import { Ringzero } from "@ringzero/core";
import { FAKE_KERNEL_AT, FAKE_POWER, FakeBackend } from "@ringzero/testing";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { fakeSpec, KERNEL } from "./fake-machine.js";

const off = { do: "out", port: FAKE_POWER.off, value: 1 } as const;
/** As an embedder has it: plugins by the name of their package, looked for from this one. */
const newRingzero = () => new Ringzero({ discover: import.meta.url, plugins: ["@ringzero/testing"] });

const folder = mkdtempSync(join(tmpdir(), "ringzero-worker-test-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const coded = (code: string) => (error: unknown) => error instanceof RingzeroError && error.code === code;

describe("a machine whose devices are hosted in a worker", () => {
  it("boots, talks on its console and powers off", async () => {
    await using rz = newRingzero();
    const machine = await rz.create(
      fakeSpec([
        { do: "expect-memory", at: FAKE_KERNEL_AT, bytes: [0x6b] },
        { do: "print", text: "login: " },
        { do: "echo-line" },
        off,
      ]),
    );
    assert.equal(machine.hosting, "worker");
    const seen: Uint8Array[] = [];
    machine.on("console", ({ bytes }) => seen.push(bytes));
    await machine.start();
    await machine.console().waitFor(/login: /);
    await machine.console().write("root\n");
    assert.deepEqual(await machine.exited, { reason: "powered-off" });
    assert.equal(Buffer.concat(seen).toString(), "login: root\n");
    await machine.start();
    await machine.pause();
    await machine.resume();
    await machine.stop();
    assert.equal(machine.state, "stopped");
  });

  it("never holds up the embedder's thread, whatever its devices do", async () => {
    await using rz = newRingzero();
    const machine = await rz.create(fakeSpec([{ do: "block", ms: 300 }, off]));
    await machine.start();
    let ticks = 0;
    let longestMs = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      longestMs = Math.max(longestMs, now - last);
      last = now;
      ticks += 1;
    }, 1);
    await machine.exited;
    clearInterval(timer);
    assert.ok(ticks > 30, `only ${ticks} ticks`);
    assert.ok(longestMs < 150, `a pause of ${longestMs} ms`);
  });

  it("reports a device that throws, and an engine that dies, like one hosted inline", async () => {
    await using rz = newRingzero();
    const thrown = await rz.create(fakeSpec([{ do: "out", port: FAKE_POWER.throw, value: 3 }]));
    const errors: string[] = [];
    thrown.on("device-error", ({ device, stack }) => errors.push(`${device} ${/made this device throw/.test(stack)}`));
    await thrown.start();
    assert.equal((await thrown.exited).reason, "device-error");
    assert.deepEqual(errors, ["power true"]);
    const dead = await rz.create(fakeSpec([{ do: "crash", reason: "killed" }]));
    await dead.start();
    const exit = await dead.exited;
    assert.ok(exit.reason === "crashed" && exit.message === "killed" && exit.flightRecorder !== "");
  });

  it("is refused with the same error as inline when it cannot be made", async () => {
    await using rz = newRingzero();
    const gone = `${KERNEL}-2`;
    writeFileSync(gone, "kernel");
    const made = rz.create(fakeSpec([], { boot: { kind: "linux", kernel: gone }, engine: { turbo: true } }));
    await assert.rejects(
      made,
      (error) =>
        error instanceof RingzeroError && error.code === "VM_UNSUPPORTED" && /no engine option turbo/.test(error.message),
    );
    rmSync(gone);
  });

  it("can be disposed of while its devices are busy and while the guest runs", async () => {
    await using rz = newRingzero();
    const machine = await rz.create(fakeSpec([{ do: "block", ms: 100 }, { do: "spin" }]));
    await machine.start();
    await machine.dispose();
    await machine.dispose();
    assert.equal(machine.state, "disposed");
    await assert.rejects(machine.start(), (error) => error instanceof RingzeroError && error.code === "VM_NOT_OPEN");
  });

  it("is given up when a device never returns: the machine crashes, and the embedder goes on", async () => {
    await using rz = newRingzero();
    for (const operation of ["stop", "dispose"] as const) {
      const machine = await rz.create(fakeSpec([{ do: "block", ms: 60_000 }]), { answerTimeoutMs: 200 });
      await machine.start();
      await new Promise((later) => setTimeout(later, 50));
      const before = performance.now();
      if (operation === "stop") {
        await assert.rejects(machine.stop(), /did not answer stop within 200 ms; make the machine anew/);
        assert.equal((await machine.exited).reason, "crashed");
        assert.equal(machine.state, "crashed");
      }
      await machine.dispose();
      assert.equal(machine.state, "disposed");
      assert.ok(performance.now() - before < 10_000);
    }
  });

  it("moves to a fresh engine where it is hosted, and goes on", async () => {
    await using rz = newRingzero();
    const machine = await rz.create(fakeSpec([{ do: "print", text: "before " }, { do: "echo-line" }, off]));
    await machine.start();
    await machine.console().waitFor(/before /);
    for (let i = 0; i < 5; i += 1) await machine.moveTo("fake");
    await assert.rejects(machine.moveTo("nowhere"), { code: "BACKEND_UNKNOWN" });
    await assert.rejects(machine.moveTo("fake", { engine: { turbo: true } }), { code: "VM_UNSUPPORTED", message: /turbo/ });
    await machine.console().write("after\n");
    await machine.console().waitFor(/after/);
    assert.deepEqual(await machine.exited, { reason: "powered-off" });
  });

  it("runs beside another in a worker of its own", async () => {
    await using rz = newRingzero();
    const [a, b] = await Promise.all([
      rz.create(fakeSpec([{ do: "crash", reason: "killed" }])),
      rz.create(fakeSpec([{ do: "sleep", ms: 50 }, off])),
    ]);
    await Promise.all([a!.start(), b!.start()]);
    assert.equal((await a!.exited).reason, "crashed");
    assert.deepEqual(await b!.exited, { reason: "powered-off" });
  });

  describe("that was prepared", () => {
    /** Workers that this process starts meanwhile. */
    async function workersOf(work: (started: readonly Worker[]) => Promise<void>): Promise<void> {
      const started: Worker[] = [];
      const note = (worker: Worker) => void started.push(worker);
      process.on("worker", note);
      try {
        await work(started);
      } finally {
        process.off("worker", note);
      }
    }

    it("is taken by one machine, and the next has one of its own", () =>
      workersOf(async (started) => {
        await using rz = newRingzero();
        await rz.prepare();
        assert.equal(started.length, 1);
        for (const count of [1, 2]) {
          const machine = await rz.create(fakeSpec([{ do: "print", text: "here" }, off]));
          assert.equal(started.length, count);
          await machine.start();
          await machine.console().waitFor(/here/);
          assert.deepEqual(await machine.exited, { reason: "powered-off" });
        }
      }));

    it("has loaded what its plugins say that they need, whatever comes of it, and serves the limits of its machine", async () => {
      const module = join(folder, "prepared.mjs");
      const common = `kind: "device", api: { min: 1, max: 1 }, module: import.meta.url`;
      writeFileSync(
        module,
        `let prepared = 0;
        export default [
          { name: "prepared", ${common}, prepare: () => (prepared += 1),
            attach: () => ({ commands: { count: () => prepared, hang: () => { for (;;); } } }) },
          { name: "broken", ${common}, prepare: () => { throw new Error("not this time"); }, attach() {} },
        ];`,
      );
      await using rz = new Ringzero({ discover: import.meta.url, plugins: ["@ringzero/testing", module] });
      await rz.prepare();
      const spec = fakeSpec([{ do: "spin" }], { devices: [{ plugin: "prepared", id: "card" }, { plugin: "broken" }] });
      const machine = await rz.create(spec, { answerTimeoutMs: 200 });
      await machine.start();
      assert.equal(await machine.command("card", "count", null), 1);
      await assert.rejects(machine.command("card", "hang", null), coded("VM_CRASHED"));
      const exit = await machine.exited;
      assert.equal(exit.reason, "crashed");
    });

    it("has loaded when backends are measured, which it would make look slow", async () => {
      const module = join(folder, "slow.mjs");
      writeFileSync(
        module,
        `export default { name: "slow", kind: "device", api: { min: 1, max: 1 }, module: import.meta.url, attach() {},
          prepare: () => new Promise((resolve) => setTimeout(resolve, 400)) };`,
      );
      const order: string[] = [];
      class Measured extends FakeBackend {
        override createVm(...given: Parameters<FakeBackend["createVm"]>) {
          order.push(this.name);
          return super.createVm(...given);
        }
      }
      const measured = ["one", "two"].map((name) =>
        definePlugin({ name, kind: "backend", api: { min: 1, max: 1 }, create: () => new Measured(name) }),
      );
      await using rz = new Ringzero({ discover: false, plugins: [measured, module] });
      const prepared = rz.prepare().then(() => order.push("loaded"));
      await rz.backends({ calibrate: true });
      await prepared;
      assert.equal(order[0], "loaded");
      assert.deepEqual(new Set(order.slice(1)), new Set(["one", "two"]));
    });

    it("holds the process until it has ended, whenever its SDK is disposed of", () => {
      // A busy thread hears of the worker's answer only when it has asked it to end.
      const program = `
        import { Ringzero } from "@ringzero/core";
        process.on("beforeExit", () => { console.log("nothing held the process"); process.exit(1); });
        const prepared = () => {
          const rz = new Ringzero({ discover: ${JSON.stringify(import.meta.url)}, plugins: ["@ringzero/testing"] });
          return [rz, rz.prepare().catch(() => undefined)];
        };
        const began = performance.now();
        const [first, done] = prepared();
        await done;
        const tookMs = performance.now() - began;
        await first.dispose();
        for (let busyMs = 0; busyMs < 2 * tookMs; busyMs += tookMs / 8) {
          const [rz] = prepared();
          await rz.plugins();
          for (const until = performance.now() + busyMs; performance.now() < until; );
          await rz.dispose();
        }
        console.log("disposed of all");
        process.exit(0);`;
      const options = { encoding: "utf8", cwd: import.meta.dirname } as const;
      const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], options);
      assert.deepEqual([status, stdout, stderr], [0, "disposed of all\n", ""]);
    });

    it("is not taken when it has died, and goes with the SDK when nobody took it", () =>
      workersOf(async (started) => {
        const rz = newRingzero();
        await rz.prepare();
        await rz.prepare();
        const [first, second] = started;
        const gone = once(first!, "exit");
        await first!.terminate();
        await gone;
        await using machine = await rz.create(fakeSpec([off]));
        assert.equal(started.length, 2, machine.name);
        await rz.prepare();
        const ended = once(started[2]!, "exit");
        await rz.dispose();
        await ended;
        assert.equal(second!.threadId, -1);
        await assert.rejects(rz.prepare(), coded("VM_NOT_OPEN"));
      }));
  });
});

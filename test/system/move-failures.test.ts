// Moves that fail on the translator: the guest goes on where it was, and nothing that the process holds stays behind. The steps one by one
// are tested with fakes, in packages/core.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { definePlugin, RingzeroError, type Vm } from "@ringzero/api";
import { BtBackend } from "@ringzero/backend-bt";
import { defineMachine, Ringzero } from "@ringzero/core";
import { AlteredBackend } from "../conformance/altered-backend.js";
import late, { LATE_MS } from "./late-backend.js";

const ROUNDS = 8;

/** Descriptors, threads and mappings of guest memory of this process. */
function held(): readonly number[] {
  const mappings = readFileSync("/proc/self/maps", "latin1").split("ringzero-").length - 1;
  return [readdirSync("/proc/self/fd").length, readdirSync("/proc/self/task").length, mappings];
}

const FAILURES: Readonly<Record<string, (vm: Vm) => Partial<Vm>>> = {
  refuses: () => ({
    loadState: async () => {
      throw new RingzeroError("VM_UNSUPPORTED", "this state cannot be honoured here");
    },
  }),
  dies: (vm) => ({
    loadState: async () => {
      await vm.dispose({ keepMemory: true });
      throw new RingzeroError("VM_CRASHED", "its engine ended");
    },
  }),
  hangs: () => ({ loadState: () => new Promise(() => undefined) }),
};

describe("a move that fails", function () {
  this.timeout(120_000);
  for (const [how, vm] of Object.entries(FAILURES)) {
    it(`because the other backend ${how} leaves nothing behind`, async () => {
      const folder = await mkdtemp(join(tmpdir(), "ringzero-move-failures-"));
      try {
        const image = join(folder, "count.bin");
        await writeFile(image, dotsRom());
        const create = () => new AlteredBackend(new BtBackend(), { vm });
        const failing = definePlugin({ name: "failing", kind: "backend", api: { min: 1, max: 1 }, create });
        await using sdk = new Ringzero({ discover: import.meta.url, plugins: [failing] });
        const spec = defineMachine({ memory: "4MiB", boot: { kind: "firmware", image }, cpuProfile: "x86-64-v2" });
        await using machine = await sdk.create(spec, { backend: "bt", host: "inline" });
        let dots = 0;
        machine.on("console", ({ bytes }) => {
          dots += bytes.length;
        });
        await machine.start();
        const fail = (): Promise<unknown> => assert.rejects(machine.moveTo("failing", { timeoutMs: 2000 }), RingzeroError);
        await fail(); // whatever is made once for the whole process
        const before = held();
        for (let round = 0; round < (how === "hangs" ? 2 : ROUNDS); round += 1) await fail();
        const endMs = Date.now() + 20_000;
        while (held().some((count, i) => count > before[i]!)) {
          assert.ok(Date.now() < endMs, `descriptors, threads, mappings: ${held().join()} now, ${before.join()} before`);
          await new Promise((later) => setTimeout(later, 10));
        }
        assert.deepEqual([machine.backend, machine.state], ["bt", "running"]);
        const seen = dots;
        while (dots === seen) await new Promise((later) => setTimeout(later, 5));
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  }

  for (const host of ["inline", "worker"] as const) {
    it(`because the other engine answers too late leaves it where it was, with its devices ${host === "inline" ? "inline" : "in a worker"}`, async () => {
      const folder = await mkdtemp(join(tmpdir(), "ringzero-move-late-"));
      try {
        const image = join(folder, "count.bin");
        await writeFile(image, dotsRom());
        await using sdk = new Ringzero({ discover: import.meta.url, plugins: [late] });
        const spec = defineMachine({ memory: "4MiB", boot: { kind: "firmware", image } });
        await using machine = await sdk.create(spec, { backend: "bt", host });
        let dots = 0;
        machine.on("console", ({ bytes }) => {
          dots += bytes.length;
        });
        await machine.start();
        const goesOn = async (): Promise<void> => {
          const seen = dots;
          const endMs = Date.now() + 20_000;
          while (dots === seen) {
            assert.ok(Date.now() < endMs, "the guest stands still");
            await new Promise((later) => setTimeout(later, 5));
          }
        };
        await goesOn();
        const began = performance.now();
        await assert.rejects(
          machine.moveTo("late", { timeoutMs: LATE_MS / 4 }),
          (error) =>
            error instanceof RingzeroError && error.code === "MOVE_TIMEOUT" && /goes on where it was/.test(error.message),
        );
        assert.ok(performance.now() - began >= LATE_MS / 4 - 50, "it was given its time");
        assert.deepEqual([machine.backend, machine.state], ["bt", "running"]);
        await goesOn();
        await new Promise((later) => setTimeout(later, LATE_MS)); // its answer has come, to nobody
        await goesOn();
        await machine.moveTo("late", { timeoutMs: 60_000 }); // the limit alone was in the way
        assert.equal(machine.backend, "late");
        await goesOn();
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  }
});

/** A dot on COM1, some time, again. */
function dotsRom(): Uint8Array {
  const rom = new Uint8Array(0x10000);
  rom.set([0xb0, 0x2e, 0xba, 0xf8, 0x03, 0xee, 0xb9, 0xff, 0xff, 0xe2, 0xfe, 0xeb, 0xf3]);
  rom.set([0xe9, 0x0d, 0x00], 0xfff0);
  return rom;
}

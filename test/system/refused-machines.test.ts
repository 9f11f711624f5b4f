// What no machine is made of is refused with what is wrong and what to do, on both engines, and nothing is left. Saved states that cannot
// be honoured are cases of the conformance suite: state/refused and move/refused.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { definePlugin, type MachineSpec, RingzeroError } from "@ringzero/api";
import { Ringzero } from "@ringzero/core";

const onRtc = definePlugin({
  name: "on-rtc",
  kind: "device",
  api: { min: 1, max: 1 },
  attach: (machine) => void machine.ports.claim({ first: 0x70, count: 2 }, {}),
});

describe("a machine that cannot be", () => {
  const folder = mkdtempSync(join(tmpdir(), "ringzero-refused-"));
  const image = join(folder, "rom.bin");
  writeFileSync(image, new Uint8Array(0x10000).fill(0xf4));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const spec: MachineSpec = { memory: "4MiB", boot: { kind: "firmware", image } };

  for (const backend of ["bt", "kvm"]) {
    it(`is refused by ${backend}: CPU profile, memory, processors, a port that is taken`, async function () {
      await using sdk = new Ringzero({ discover: import.meta.url, plugins: [onRtc] });
      const report = (await sdk.backends()).find(({ name }) => name === backend);
      if (!report?.available) {
        console.log(`      skipped: ${report?.reason ?? `there is no backend ${backend}`}`);
        return this.skip();
      }
      const create = (more: Partial<MachineSpec>) => sdk.create({ ...spec, ...more }, { backend, host: "inline" });
      const { maxVcpus, maxMemoryBytes } = report.capabilities;
      await (await create({})).dispose(); // whatever is made once for the whole process
      const before = readdirSync("/proc/self/fd").length;
      const invalid = (path: string) => (error: unknown) =>
        error instanceof RingzeroError &&
        error.code === "SPEC_INVALID" &&
        error.problems.some((problem) => problem.path === path && problem.message.length > 0);
      await assert.rejects(create({ cpuProfile: "z80" }), invalid("cpuProfile"));
      await assert.rejects(create({ memory: maxMemoryBytes + 2 ** 20 }), invalid("memory"));
      await assert.rejects(create({ cpus: maxVcpus + 1 }), invalid("cpus"));
      await assert.rejects(
        create({ devices: [{ plugin: "on-rtc" }] }),
        (error) => error instanceof RingzeroError && error.code === "BUS_OVERLAP" && /rtc/.test(error.message),
      );
      const endMs = Date.now() + 10_000;
      while (readdirSync("/proc/self/fd").length > before) {
        assert.ok(Date.now() < endMs, "descriptors were left open");
        await new Promise((later) => setTimeout(later, 10));
      }
      await (await create({})).dispose();
    });
  }
});

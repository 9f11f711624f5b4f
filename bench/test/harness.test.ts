// The harness: its arithmetic, its parsing, and that both sides know the same workloads.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  buildGuestPrograms,
  geometricMean,
  markdown,
  median,
  parseValues,
  probeFirmware,
  type Report,
  SUITE_NAMES,
  textTable,
  workloadsOf,
} from "@ringzero/bench";

const REPORT: Report = {
  when: "2026-01-02T03:04:05.000Z",
  machine: { processor: "Test", cores: 2, memoryGiB: 4, kernel: "6.1" },
  contenders: { native: "the host", bt: "ours", "qemu-tcg": "theirs" },
  absent: {},
  guest: { kernel: "linux 6.1", busybox: "busybox 1.35" },
  rounds: 3,
  rows: [
    { name: "boot-to-userspace", unit: "ms", values: { bt: 500, "qemu-tcg": 1000 } },
    { name: "int-mix", unit: "ns/op", values: { native: 1, bt: 2, "qemu-tcg": 16 } },
    { name: "x87", unit: "ns/op", values: { native: 10, bt: 80, "qemu-tcg": 160 } },
  ],
  operations: [{ name: "bt: validate", value: 1.2345, unit: "ms" }],
};

describe("the benchmark harness", function () {
  this.timeout(60_000);

  it("takes medians of odd and even counts", () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
    assert.ok(Number.isNaN(median([])));
  });

  it("takes geometric means of ratios", () => assert.equal(geometricMean([2, 8]), 4));

  it("reads the guest's lines out of a console full of other things", () => {
    const values = parseValues(
      "[    0.1] boot\r\nint-mix 3.25 ns/op\r\nmemcpy-8m 1.2e+05 ns/MiB\r\navx2-int - unavailable\r\n# done\r\n",
    );
    assert.deepEqual([...values.keys()], ["int-mix", "memcpy-8m"]);
    assert.equal(values.get("memcpy-8m")?.value, 120_000);
  });

  it("knows exactly the workloads that the guest program has", async () => {
    const binary = await buildGuestPrograms();
    const listed = execFileSync(binary, ["--list"], { encoding: "utf8" })
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]!);
    assert.deepEqual([...workloadsOf(SUITE_NAMES)].sort(), listed.sort());
  });

  it("refuses a suite that does not exist", () => assert.throws(() => workloadsOf(["nonsense"]), RangeError));

  it("times a workload on the host and prints it", async () => {
    const binary = await buildGuestPrograms();
    const values = parseValues(execFileSync(binary, ["--ms", "5", "--rounds", "1", "int-mix", "getppid"], { encoding: "utf8" }));
    assert.ok((values.get("int-mix")?.value ?? 0) > 0);
    assert.ok((values.get("getppid")?.value ?? 0) > 0);
  });

  it("puts slowdown against native and speed against QEMU into the tables", () => {
    const text = textTable(REPORT);
    assert.match(text, /int-mix\s+ns\/op\s+1\s+2\s+16\s+2\s+8/);
    assert.match(text, /geometric mean\s+4\s+4$/m);
    assert.match(markdown(REPORT), /\| boot-to-userspace \| ms \| – \| 500 \| 1000 \| – \| 2 \|/);
  });

  it("makes a firmware image whose reset vector jumps to the port loop", () => {
    const rom = probeFirmware();
    const vector = rom.length - 16;
    assert.equal(rom[vector], 0xe9);
    const target = vector + 3 + new DataView(rom.buffer).getInt16(vector + 1, true);
    assert.deepEqual([...rom.subarray(target, target + 6)], [0xba, 0xf0, 0x05, 0xec, 0xeb, 0xfd]);
  });
});

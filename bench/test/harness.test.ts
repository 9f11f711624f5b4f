// The harness: its arithmetic, its parsing, and that both sides know the same workloads.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  buildGuestPrograms,
  geometricMean,
  median,
  pairedSpeed,
  parseValues,
  probeFirmware,
  Report,
  rowsBelow,
  selectWorkloads,
  spread,
  unexplainedRows,
  WORKLOADS,
} from "@ringzero/bench";

const row = (name: string, suite: string, unit: string, samples: Record<string, number[]>) => ({
  ...{ name, suite, unit, samples },
  values: Object.fromEntries(Object.entries(samples).map(([contender, all]) => [contender, median(all)])),
});

const REPORT = new Report({
  format: 2,
  when: "2026-01-02T03:04:05.000Z",
  machine: { processor: "Test", cores: 2, memoryGiB: 4, kernel: "6.1" },
  contenders: {
    native: { kind: "native", what: "the host" },
    bt: { kind: "backend", what: "ours" },
    "qemu-7.2": { kind: "qemu", what: "theirs" },
    "qemu-11.1": { kind: "qemu", what: "theirs, newer" },
  },
  absent: {},
  notes: [],
  guest: { kernel: "linux 6.1", busybox: "busybox 1.35" },
  rounds: 3,
  roundMs: 100,
  rows: [
    row("boot-to-userspace", "boot", "ms", { bt: [500, 400, 600], "qemu-7.2": [1000] }),
    row("int-mix", "compute", "ns/op", { native: [1], bt: [2], "qemu-7.2": [18], "qemu-11.1": [16] }),
    row("x87", "vector", "ns/op", { native: [10], bt: [80], "qemu-7.2": [160], "qemu-11.1": [170] }),
    row("signal", "kernel", "ns/op", { native: [10], bt: [80], "qemu-7.2": [160] }),
  ],
  operations: [{ backend: "bt", name: "validate", value: 1.2345, unit: "ms", samples: [1.2, 1.2345, 1.3] }],
});

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

  it("knows exactly the workloads that the guest program and the script have", async () => {
    const binary = await buildGuestPrograms();
    const listed = execFileSync(binary, ["--list"], { encoding: "utf8" })
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]!);
    const known = (kind: string) => WORKLOADS.flatMap(({ probe, program }) => (probe === kind && program ? [program] : []));
    assert.deepEqual([...new Set(known("program"))].sort(), listed.sort());
    const script = fileURLToPath(new URL("guest/node.cjs", import.meta.resolve("@ringzero/bench/package.json")));
    const ofNode = execFileSync(process.execPath, [script, "--list"], { encoding: "utf8" }).trim().split("\n");
    assert.deepEqual(
      ofNode.map((line) => line.split(" ")[0]),
      known("node"),
    );
    const values = parseValues(execFileSync(process.execPath, [script, "--ms", "1", "--rounds", "1"], { encoding: "utf8" }));
    assert.deepEqual([...values.keys()], known("node"));
  });

  it("selects rows by name, suite, group and pattern, in the order of the catalogue", () => {
    const names = (...wanted: string[]) => selectWorkloads(wanted).map(({ name }) => name);
    assert.deepEqual(names("sha256", "int-mix"), ["int-mix", "sha256"]);
    assert.deepEqual(names("hash"), ["sha256", "lz-compress"]);
    assert.deepEqual(names("simd"), ["sse-fp32", "sse-int", "avx2-fp32", "avx2-int"]);
    assert.deepEqual(names("memcpy*", "memcpy-100"), ["memcpy-8m", "memcpy-8m-aliased", "memcpy-100"]);
  });

  it("refuses a name that stands for no row", () => assert.throws(() => selectWorkloads(["nonsense"]), RangeError));

  it("times a workload on the host and prints it", async () => {
    const binary = await buildGuestPrograms();
    const values = parseValues(execFileSync(binary, ["--ms", "5", "--rounds", "1", "int-mix", "getppid"], { encoding: "utf8" }));
    assert.ok((values.get("int-mix")?.value ?? 0) > 0);
    assert.ok((values.get("getppid")?.value ?? 0) > 0);
  });

  it("puts slowdown against native and speed against the better QEMU into the tables", () => {
    const text = REPORT.toText();
    assert.match(text, /int-mix\s+ns\/op\s+1\s+2\s+18\s+16\s+2\.00\s+8\.00\s+0 %/);
    assert.match(text, /x87\s+ns\/op\s+10\s+80\s+160\s+170\s+8\.00\s+2\.00/);
    assert.match(text, /geometric mean\s+5\.04\s+3\.17$/m);
    assert.match(REPORT.toMarkdown(), /\| boot-to-userspace \| ms \| – \| 500 \| 1000 \| – \| – \| 2\.00 \| 40 % \|/);
  });

  it("compares two backends round by round", () => {
    const both = new Report({
      ...REPORT,
      contenders: { bt: { kind: "backend", what: "ours" }, "bt@main": { kind: "backend", what: "ours before" } },
      rows: [row("int-mix", "compute", "ns/op", { bt: [1, 10, 2], "bt@main": [2, 20, 3] })], // the second round was a slow one
    });
    assert.equal(pairedSpeed(both.rows[0]!, "bt", "bt@main"), 2);
    assert.match(both.toText(), /bt@main ÷ bt/);
  });

  it("judges the goals whose rows were measured, and names the rows below their floors", () => {
    const verdicts = new Map(REPORT.goals("bt").map(({ goal, met }) => [goal.name, met]));
    assert.equal(verdicts.get("boot-to-userspace"), true);
    assert.equal(verdicts.get("signal"), false);
    assert.equal(verdicts.get("user-compute"), undefined, "one row of a group says nothing of the group");
    assert.equal(verdicts.get("whole set"), undefined);
    assert.deepEqual(rowsBelow(REPORT, "bt"), ["signal"]);
  });

  it("draws a page that needs nothing from anywhere", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ringzero-bench-test-"));
    try {
      await REPORT.writeJson(join(folder, "report.json"));
      const again = await Report.read(join(folder, "report.json"));
      await again.writeHtml(join(folder, "report.html"), REPORT);
      const page = await readFile(join(folder, "report.html"), "utf8");
      assert.doesNotMatch(page, /https?:|<script|<link|@import|url\(/);
      assert.doesNotMatch(page, /NaN|undefined|Infinity/);
      assert.match(page, /int-mix, bt: 8\.00×/, "a bar says its figure");
      assert.match(page, /0 of 11 figures moved/, "the same report twice");
      assert.equal(page.match(/<svg/g)?.length, page.match(/<\/svg>/g)?.length);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("docs/performance.md gives a reason for every row that its table says is below a floor", async () => {
    assert.match(REPORT.toMarkdown(), /^Below a floor: `signal`\.$/m);
    const sample = `${REPORT.toMarkdown()}\n## Rows that fall short\n\n- `;
    assert.deepEqual(unexplainedRows(`${sample}\`x87\`: no`), ["signal"]);
    assert.deepEqual(unexplainedRows(`${sample}\`signal\`: because`), []);
    const docs = fileURLToPath(new URL("../../docs/performance.md", import.meta.resolve("@ringzero/bench")));
    assert.deepEqual(unexplainedRows(await readFile(docs, "utf8")), []);
  });

  it("refuses to read what is no report", async () => {
    const manifest = fileURLToPath(import.meta.resolve("@ringzero/bench/package.json"));
    await assert.rejects(Report.read(manifest), TypeError);
  });

  it("says what moved between two reports, by ratios to native where both have them", () => {
    const now = new Report({
      ...REPORT,
      rows: [
        row("int-mix", "compute", "ns/op", { native: [2], bt: [2, 2.02], "qemu-7.2": [36] }), // the machine is half as fast today
        row("signal", "kernel", "ns/op", { bt: [82, 60, 99] }),
      ],
    });
    const found = new Map(now.since(REPORT).map((one) => [`${one.row} ${one.contender}`, one]));
    assert.equal(found.get("int-mix qemu-7.2")?.speed, 1);
    assert.equal(found.get("int-mix qemu-7.2")?.beyondNoise, false);
    assert.ok(Math.abs(found.get("int-mix bt")!.speed - 2) < 0.02);
    assert.equal(found.get("int-mix bt")?.beyondNoise, true);
    assert.equal(found.get("signal bt")?.beyondNoise, false, "its rounds differ more");
    assert.equal(found.has("int-mix native"), false);
  });

  it("takes the spread of rounds as a share of the median", () => {
    assert.equal(spread([9, 10, 12]), 0.3);
    assert.equal(spread([5]), 0);
  });

  it("makes a firmware image whose reset vector jumps to the port loop", () => {
    const rom = probeFirmware();
    const vector = rom.length - 16;
    assert.equal(rom[vector], 0xe9);
    const target = vector + 3 + new DataView(rom.buffer).getInt16(vector + 1, true);
    assert.deepEqual([...rom.subarray(target, target + 6)], [0xba, 0xf0, 0x05, 0xec, 0xeb, 0xfd]);
  });
});

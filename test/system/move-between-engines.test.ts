// Small guests that move between every two engines of this host hundreds of times in the middle of a computation: each sum that they
// print must be the one that this program computes. Small, because an engine may run ring 0 slowly: a kernel that boots would take hours there.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineMachine, type Machine, Ringzero } from "@ringzero/core";
import { assembleSums, expectedSum, parseLine } from "./moving-sums.js";

const ROM_BYTES = 0x10000;
const MOVES = 300;

// ds = ss = 0; sp = 7000h
// again: eax = 1; ecx = 20000; ebx = 0
// 1: eax = eax * 1103515245 + 12345; si = eax >> 16 & FCh; [600h + si] = eax; ebx = rol(ebx + [600h + si], 5); ecx -= 1; until 0
// the eight digits of ebx as letters A..P on COM1, each when the transmitter is empty; a newline; jmp again
const SUMS =
  "31c08ed88ed0bc007066b80100000066b9204e00006631db6669c06d4ec6416605393000006689c666c1ee1081e6fc00668984000666039c000666c1c305664975d6b9080066c1c30488dc80e40f80c441e80900e2efb40ae80200ebacbafd03eca82074fbb2f888e0eec3";
const JUMP_TO_START = [0xe9, 0x0d, 0x00]; // at the reset vector FFF0h

function expectedLine(): string {
  let x = 1;
  let sum = 0;
  for (let i = 0; i < 20_000; i += 1) {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0;
    sum = (sum + x) >>> 0;
    sum = ((sum << 5) | (sum >>> 27)) >>> 0;
  }
  return Array.from({ length: 8 }, (_, i) => String.fromCharCode(65 + ((sum >>> (28 - 4 * i)) & 15))).join("");
}

describe("a guest in the middle of a computation", function () {
  this.timeout(300_000);
  let folder: string;
  let image: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "ringzero-move-"));
    image = join(folder, "sums.bin");
    const rom = new Uint8Array(ROM_BYTES);
    rom.set(Buffer.from(SUMS, "hex"));
    rom.set(JUMP_TO_START, 0xfff0);
    await writeFile(image, rom);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  for (const [from, to, cpus] of [
    ["bt", "bt", 1],
    ["bt", "kvm", 1],
    ["bt", "bt", 2],
    ["bt", "kvm", 2],
  ] as const) {
    const processors = cpus === 1 ? "one processor" : `${cpus} processors`;
    it(`in ring 3 of ${processors} and ring 0, with timers, moves ${MOVES} times between ${from} and ${to}`, async function () {
      await using sdk = new Ringzero({ discover: import.meta.url });
      const cpuProfile = await commonProfile(this, sdk, [from, to]);
      const boot = { kind: "firmware", image: assembleSums(folder, cpus) } as const;
      const spec = defineMachine({ name: "sums", memory: "2MiB", cpus, boot, cpuProfile });
      await using machine = await sdk.create(spec, { backend: from });
      const text = listen(machine);
      await machine.start();
      const refusal = await move(machine, from, to);
      await more(text);
      await machine.stop();
      const lines = text.all.split("\n").slice(0, -1).map(parseLine);
      assert.ok(lines.length > 10, `${lines.length} lines`);
      const sums = new Set(lines.map(({ sums: [first] }) => first));
      if (cpus > 1)
        for (const {
          sums: [, second],
          otherRounds,
        } of lines)
          if (otherRounds > 0) sums.add(second);
      assert.deepEqual([...sums], [expectedSum()], "a sum is wrong");
      const ticks = (name: "pitTicks" | "apicTicks" | "otherRounds"): number[] => lines.map((line) => line[name]);
      for (const counts of [ticks("pitTicks"), ticks("apicTicks"), ...(cpus > 1 ? [ticks("otherRounds")] : [])]) {
        for (const [i, count] of counts.entries()) assert.ok(i === 0 || count >= counts[i - 1]!, "a count went back");
        assert.ok(counts.at(-1)! > counts[0]!, "a clock or a processor stood still");
      }
      skipIfRefused(this, refusal);
    });
  }

  for (const [from, to] of [
    ["bt", "bt"],
    ["bt", "kvm"],
  ] as const) {
    it(`in real mode moves ${MOVES} times between ${from} and ${to}, and each sum is right`, async function () {
      await using sdk = new Ringzero({ discover: import.meta.url });
      const cpuProfile = await commonProfile(this, sdk, [from, to]);
      const spec = defineMachine({ name: "sums", memory: "2MiB", boot: { kind: "firmware", image }, cpuProfile });
      await using machine = await sdk.create(spec, { backend: from });
      const text = listen(machine);
      await machine.start();
      const refusal = await move(machine, from, to);
      await more(text);
      await machine.stop();
      const lines = text.all.split("\n").slice(0, -1);
      const line = expectedLine();
      assert.ok(lines.length > 10, `${lines.length} lines`);
      assert.deepEqual([...new Set(lines)], [line], "no line is wrong, torn, lost in part or printed twice in part");
      skipIfRefused(this, refusal);
    });
  }
});

/** The CPU profile that both have; skips the test where one of them cannot be used, saying why. */
async function commonProfile(test: Mocha.Context, sdk: Ringzero, names: readonly string[]): Promise<string> {
  const backends = await sdk.backends();
  const skip = (why: string): never => {
    console.log(`      skipped: ${why}`);
    return test.skip();
  };
  const profiles = names.map((name) => {
    const report = backends.find((one) => one.name === name);
    if (!report) return skip(`the backend ${name} is not among the dependencies of these tests`);
    if (!report.available) return skip(`the backend ${name} does not work here: ${report.reason}`);
    if (!report.capabilities.saveState) return skip(`the backend ${name} does not claim to save the state of a machine`);
    return report.capabilities.cpuProfiles;
  });
  // `host` is not the same on both.
  const shared = profiles[0]!.filter((one) => profiles.every((list) => list.includes(one)));
  const common = shared.find((one) => one !== "host" || names[0] === names[1]);
  return common ?? skip(`${names.join(" and ")} have no CPU profile in common`);
}

function listen(machine: Machine): { all: string } {
  const text = { all: "" };
  machine.on("console", ({ bytes }) => {
    text.all += Buffer.from(bytes).toString("latin1");
  });
  return text;
}

/** Until the guest has printed some more. */
async function more(text: { all: string }): Promise<void> {
  const enough = text.all.length + 400;
  while (text.all.length < enough) {
    if (text.all.includes("!")) throw new Error(`the guest met an exception: ${text.all.slice(-80)}`);
    await new Promise((later) => setTimeout(later, 5));
  }
}

/** Move to and fro. @returns why one engine refused the other's state; empty when it never did */
async function move(machine: Machine, from: string, to: string): Promise<string> {
  for (let i = 0; i < MOVES; i += 1) {
    try {
      await machine.moveTo(i % 2 === 0 ? to : from);
    } catch (error) {
      // A processor that cannot honour the state says so, and the guest goes on where it was. An engine can always follow itself.
      const { code, message } = error as { code?: string; message: string };
      if (from === to || code !== "VM_UNSUPPORTED") throw error;
      assert.equal(machine.state, "running");
      assert.equal(machine.backend, i % 2 === 0 ? from : to);
      return `after ${i} moves: ${message}`;
    }
    await new Promise((later) => setTimeout(later, (i * 7) % 11));
  }
  return "";
}

function skipIfRefused(test: Mocha.Context, refusal: string): void {
  if (refusal === "") return;
  console.log(`      skipped: ${refusal}`);
  test.skip();
}

// A small guest that moves between every two engines of this host hundreds of times in the middle of a computation: each sum that it
// prints must be the one that this program computes. Small, because an engine may run ring 0 slowly: a kernel that boots would take hours there.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineMachine, Ringzero } from "@ringzero/core";

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

  for (const [from, to] of [
    ["bt", "bt"],
    ["bt", "kvm"],
  ] as const) {
    it(`moves ${MOVES} times between ${from} and ${to}, and each sum is right`, async function () {
      await using sdk = new Ringzero({ discover: import.meta.url });
      const backends = await sdk.backends();
      for (const name of [from, to]) {
        const report = backends.find((one) => one.name === name);
        const why = !report
          ? "is not among the dependencies of these tests"
          : !report.available
            ? `does not work here: ${report.reason}`
            : !report.capabilities.saveState
              ? "does not claim to save the state of a machine"
              : null;
        if (why === null) continue;
        console.log(`      skipped: the backend ${name} ${why}`);
        this.skip();
      }
      const profiles = [from, to].map((name) => backends.find((one) => one.name === name)!.capabilities.cpuProfiles);
      const cpuProfile = profiles[0]!.find((one) => profiles[1]!.includes(one));
      if (cpuProfile === undefined) {
        console.log(`      skipped: ${from} and ${to} have no CPU profile in common`);
        this.skip();
      }
      const spec = defineMachine({ name: "sums", memory: "2MiB", boot: { kind: "firmware", image }, cpuProfile });
      await using machine = await sdk.create(spec, { backend: from });
      let text = "";
      machine.on("console", ({ bytes }) => {
        text += Buffer.from(bytes).toString("latin1");
      });
      await machine.start();
      let refusal = "";
      for (let i = 0; i < MOVES && refusal === ""; i += 1) {
        try {
          await machine.moveTo(i % 2 === 0 ? to : from);
        } catch (error) {
          // A processor that cannot honour the state says so, and the guest goes on where it was. An engine can always follow itself.
          const { code, message } = error as { code?: string; message: string };
          if (from === to || code !== "VM_UNSUPPORTED") throw error;
          refusal = `after ${i} moves: ${message}`;
          assert.equal(machine.state, "running");
          assert.equal(machine.backend, i % 2 === 0 ? from : to);
        }
        await new Promise((later) => setTimeout(later, (i * 7) % 11));
      }
      const enough = text.length + 200;
      while (text.length < enough) await new Promise((later) => setTimeout(later, 5));
      await machine.stop();
      const lines = text.split("\n").slice(0, -1);
      const line = expectedLine();
      assert.ok(lines.length > 10, `${lines.length} lines`);
      assert.deepEqual([...new Set(lines)], [line], "no line is wrong, torn, lost in part or printed twice in part");
      if (refusal !== "") {
        console.log(`      skipped: ${refusal}`);
        this.skip();
      }
    });
  }
});

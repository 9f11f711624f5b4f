// What the guest reads and writes through the port and MMIO buses, by width.

import assert from "node:assert/strict";
import type { FakeStep } from "@ringzero/testing";
import { FAKE_POWER } from "@ringzero/testing";
import { device, fakeRingzero, fakeSpec, INLINE, inlineMachine } from "./fake-machine.js";

const off = { do: "out", port: FAKE_POWER.off, value: 1 } as const;

/** Runs the steps beside a device; every `expect` in them must hold. */
async function run(steps: FakeStep[], attach: Parameters<typeof device>[1]): Promise<void> {
  const { machine } = await inlineMachine([...steps, off], { devices: [{ plugin: "card" }] }, device("card", attach));
  await machine.start();
  assert.deepEqual(await machine.exited, { reason: "powered-off" });
  await machine.dispose();
}

describe("the port bus", () => {
  it("reads all ones where nobody is, in each width", async () => {
    await run(
      [
        { do: "in", port: 0x9999, size: 1, expect: 0xff },
        { do: "in", port: 0x9999, size: 2, expect: 0xffff },
        { do: "in", port: 0x9999, size: 4, expect: 0xffffffff },
        { do: "out", port: 0x9999, value: 5, size: 4 },
      ],
      () => {},
    );
  });

  it("splits an access that a device does not take whole, lowest port first", async () => {
    const seen: string[] = [];
    await run(
      [
        { do: "in", port: 0x700, size: 4, expect: 0xff020100 },
        { do: "in", port: 0x6ff, size: 2, expect: 0x00ff },
        { do: "out", port: 0x700, size: 4, value: 0x44332211 },
      ],
      (machine) =>
        void machine.ports.claim(
          { first: 0x700, count: 3 },
          {
            read: (port) => port - 0x700,
            write: (port, value, size) => void seen.push(`${port.toString(16)}=${value.toString(16)}/${size}`),
          },
        ),
    );
    assert.deepEqual(seen, ["700=11/1", "701=22/1", "702=33/1"]);
  });

  it("hands over whole what a device lists, and cuts its answer to the width", async () => {
    await run(
      [
        { do: "in", port: 0x700, size: 4, expect: 0xdeadbeef },
        { do: "in", port: 0x700, size: 2, expect: 0xbeef },
        { do: "in", port: 0x700, size: 1, expect: 0xef },
      ],
      (machine) => void machine.ports.claim({ first: 0x700, count: 4 }, { sizes: [1, 2, 4], read: () => 0xdeadbeef }),
    );
  });

  it("gives a released port to the next who claims it", async () => {
    await run([{ do: "in", port: 0x700, expect: 2 }], (machine) => {
      machine.ports.claim({ first: 0x700, count: 1 }, { read: () => 1 }).release();
      machine.ports.claim({ first: 0x700, count: 1 }, { read: () => 2 });
    });
  });

  it("refuses ranges that are no ports", async () => {
    for (const range of [
      { first: -1, count: 1 },
      { first: 0xffff, count: 2 },
      { first: 0, count: 0 },
      { first: 0.5, count: 1 },
    ]) {
      const { rz } = fakeRingzero(device("card", (machine) => void machine.ports.claim(range, {})));
      await assert.rejects(rz.create(fakeSpec([], { devices: [{ plugin: "card" }] }), INLINE), /not within 0\.\.0xffff/);
    }
  });
});

describe("the MMIO bus", () => {
  const at = 0xd0000000;

  it("reads all ones where nobody is, and splits what is too wide for the device", async () => {
    await run(
      [
        { do: "mmio-read", at: at + 0x1000, size: 4, expect: 0xffffffff },
        { do: "mmio-read", at, size: 1, expect: 0 },
        { do: "mmio-read", at: at + 4, size: 4, expect: 0x00040404 },
      ],
      (machine) =>
        void machine.mmio.claim({ at, sizeBytes: 16 }, { read: (offset, size) => (size === 4 ? offset * 0x10101 : offset) }),
    );
  });

  it("joins two halves of 8 bytes when the device takes at most 4", async () => {
    const seen: string[] = [];
    await run(
      [
        { do: "mmio-read", at, size: 8, expect: 0x4_00000000 },
        { do: "mmio-write", at, size: 8, value: 0x11_22334455 },
      ],
      (machine) =>
        void machine.mmio.claim(
          { at, sizeBytes: 8 },
          {
            sizes: [4],
            read: (offset) => offset,
            write: (offset, value, size) => void seen.push(`${offset}=${value.toString(16)}/${size}`),
          },
        ),
    );
    assert.deepEqual(seen, ["0=22334455/4", "4=11/4"]);
  });

  it("cuts a narrow read out of the unit that the device knows, and ignores a narrow write", async () => {
    const seen: bigint[] = [];
    await run(
      [
        { do: "mmio-read", at: at + 1, size: 1, expect: 0x33 },
        { do: "mmio-read", at: at + 2, size: 2, expect: 0x1122 },
        { do: "mmio-write", at, size: 1, value: 1 },
      ],
      (machine) =>
        void machine.mmio.claim(
          { at, sizeBytes: 4 },
          { sizes: [4], read: () => 0x11223344, write: (_offset, value) => void seen.push(value) },
        ),
    );
    assert.deepEqual(seen, []);
  });

  it("refuses addresses that are memory, taken, or none", async () => {
    const refused = async (ranges: { at: number; sizeBytes: number }[], message: RegExp) => {
      const { rz } = fakeRingzero(device("card", (machine) => ranges.forEach((range) => void machine.mmio.claim(range, {}))));
      await assert.rejects(rz.create(fakeSpec([], { devices: [{ plugin: "card" }] }), INLINE), message);
    };
    await refused([{ at: 0x100000, sizeBytes: 4 }], /card0 claims addresses 0x100000\.\.0x100003, but memory is at/);
    await refused(
      [
        { at, sizeBytes: 8 },
        { at: at + 7, sizeBytes: 1 },
      ],
      /but card0 has 0xd0000000\.\.0xd0000007/,
    );
    await refused([{ at, sizeBytes: 0 }], /no range of guest-physical addresses/);
  });
});

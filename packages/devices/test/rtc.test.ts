// The clock as a guest sees it: through ports 70h and 71h and interrupt line 8.

import { strict as assert } from "node:assert";
import type { AttachedDevice } from "@ringzero/api";
import { cmosContents, rtcPlugin } from "@ringzero/devices";
import { FakeMachine } from "./fake-machine.js";

const B_SET = 0x80;
const B_PIE = 0x40;
const B_AIE = 0x20;
const B_UIE = 0x10;
const B_BINARY = 0x04;
const B_24H = 0x02;

describe("rtc", () => {
  let machine: FakeMachine;
  let device: AttachedDevice;
  const get = (register: number) => {
    machine.out(0x70, register);
    return machine.in(0x71);
  };
  const put = (register: number, value: number) => {
    machine.out(0x70, register);
    machine.out(0x71, value);
  };
  const bcdTime = () => [4, 2, 0].map(get);
  const bcdDate = () => [0x32, 9, 8, 7, 6].map(get);

  beforeEach(async () => {
    machine = new FakeMachine();
    device = await machine.attach(rtcPlugin);
  });

  it("shows the wall time in BCD and 24 hours, with the century and Sunday as day 1", () => {
    assert.deepEqual(bcdTime(), [0x23, 0x59, 0x50]);
    assert.deepEqual(bcdDate(), [0x20, 0x24, 0x02, 0x29, 5]); // a Thursday
  });

  it("goes from a leap day into March", () => {
    machine.advance(10_000);
    assert.deepEqual(bcdTime(), [0, 0, 0]);
    assert.deepEqual(bcdDate(), [0x20, 0x24, 0x03, 0x01, 6]);
  });

  it("shows binary when the guest asks for it", () => {
    put(0x0b, B_24H | B_BINARY);
    assert.deepEqual(bcdTime(), [23, 59, 50]);
    assert.deepEqual([0x32, 9].map(get), [20, 24]);
  });

  it("shows 12 hours with the PM bit, and midnight and noon as 12", () => {
    put(0x0b, 0);
    assert.equal(get(4), 0x11 | 0x80);
    machine.advance(10_000);
    assert.equal(get(4), 0x12);
    machine.advance(12 * 3600 * 1000);
    assert.equal(get(4), 0x12 | 0x80);
    machine.advance(3600 * 1000);
    assert.equal(get(4), 0x01 | 0x80);
  });

  it("takes noon and midnight in 12 hours when it is set", () => {
    put(0x0b, B_SET);
    put(4, 0x12);
    put(0x0b, 0);
    put(0x0b, B_24H);
    assert.equal(get(4), 0x00);
    put(0x0b, B_SET);
    put(4, 0x12 | 0x80);
    put(0x0b, 0);
    put(0x0b, B_24H);
    assert.equal(get(4), 0x12);
  });

  it("holds still under SET, and runs on from what was written", () => {
    put(0x0b, B_SET | B_24H);
    machine.advance(5000);
    assert.equal(get(0), 0x50);
    for (const [register, value] of [
      [0x32, 0x19],
      [9, 0x99],
      [8, 0x12],
      [7, 0x31],
      [4, 0x23],
      [2, 0x59],
      [0, 0x59],
    ] as const)
      put(register, value);
    put(0x0b, B_24H);
    machine.advance(1000);
    assert.deepEqual(bcdTime(), [0, 0, 0]);
    assert.deepEqual(bcdDate(), [0x20, 0x00, 0x01, 0x01, 7]); // 1 January 2000 was a Saturday
  });

  it("changes one field without SET and leaves the others", () => {
    put(2, 0x30);
    assert.deepEqual(bcdTime(), [0x23, 0x30, 0x50]);
  });

  it("raises update-in-progress only before a second ends, and never under SET", () => {
    assert.equal(get(0x0a) & 0x80, 0);
    machine.advance(999);
    assert.equal(get(0x0a) & 0x80, 0x80);
    put(0x0b, B_SET | B_24H);
    assert.equal(get(0x0a) & 0x80, 0);
    put(0x0b, B_24H);
    machine.advance(1);
    assert.equal(get(0x0a) & 0x80, 0);
  });

  it("says that its battery is good, and that register C and D cannot be written", () => {
    put(0x0d, 0);
    assert.equal(get(0x0d), 0x80);
    put(0x0c, 0xff);
    assert.equal(get(0x0c), 0);
  });

  it("interrupts once a second while the guest acknowledges, and not again while it does not", () => {
    put(0x0b, B_24H | B_UIE);
    machine.advance(1000);
    assert.deepEqual(machine.edges.splice(0), ["irq 8 up"]);
    machine.advance(3000);
    assert.deepEqual(machine.edges.splice(0), []);
    assert.equal(get(0x0c) & 0x90, 0x90);
    assert.deepEqual(machine.edges.splice(0), ["irq 8 down"]);
    machine.advance(1000);
    assert.deepEqual(machine.edges, ["irq 8 up"]);
  });

  it("sets flags without an interrupt when none is enabled, and reading clears them", () => {
    machine.advance(1500);
    assert.equal(get(0x0c) & 0x90, 0x10);
    assert.equal(get(0x0c) & 0x10, 0);
    assert.deepEqual(machine.edges, []);
  });

  it("interrupts at the rate in register A", () => {
    put(0x0a, 0x2f); // 2 Hz
    put(0x0b, B_24H | B_PIE);
    let interrupts = 0;
    for (let i = 0; i < 40; i++) {
      machine.advance(50);
      if (machine.lines.get(8)) {
        interrupts++;
        assert.equal(get(0x0c) & 0xc0, 0xc0);
      }
    }
    assert.equal(interrupts, 4);
  });

  it("makes no periodic interrupts at rate 0", () => {
    put(0x0a, 0x20);
    put(0x0b, B_24H | B_PIE);
    machine.advance(5000);
    assert.deepEqual(machine.edges, []);
    assert.equal(machine.armedTimers, 0);
  });

  it("interrupts at the alarm time, over midnight", () => {
    for (const [register, value] of [
      [5, 0x00],
      [3, 0x00],
      [1, 0x02],
    ] as const)
      put(register, value);
    put(0x0b, B_24H | B_AIE);
    machine.advance(11_000);
    assert.deepEqual(machine.edges, []);
    machine.advance(1000);
    assert.deepEqual(machine.edges, ["irq 8 up"]);
    assert.equal(get(0x0c) & 0xa0, 0xa0);
  });

  it("takes C0h and above in an alarm register as any", () => {
    for (const [register, value] of [
      [5, 0xc0],
      [3, 0xff],
      [1, 0x55],
    ] as const)
      put(register, value);
    put(0x0b, B_24H | B_AIE);
    machine.advance(5000);
    assert.equal(get(0x0c) & 0xa0, 0xa0);
    machine.advance(59_000);
    assert.equal(machine.lines.get(8), false);
    machine.advance(1000);
    assert.equal(machine.lines.get(8), true);
  });

  it("never goes off for an alarm time that cannot be", () => {
    put(5, 0x30); // hour 30
    put(0x0b, B_24H | B_AIE);
    machine.advance(48 * 3600 * 1000);
    assert.deepEqual(machine.edges, []);
  });

  it("tells memory and processors where old software looks", async () => {
    for (const [mib, extendedKib, above16, above4] of [
      [2, 1024, 0, 0],
      [512, 64512, 0x1f00, 0],
      [8192, 64512, 0xbf00, 5120 * 16],
    ] as const) {
      machine = new FakeMachine();
      machine.memoryBytes = mib * 2 ** 20;
      machine.cpus = 8;
      await machine.attach(rtcPlugin);
      assert.equal(get(0x15) | (get(0x16) << 8), 640);
      assert.equal(get(0x17) | (get(0x18) << 8), extendedKib);
      assert.equal(get(0x30) | (get(0x31) << 8), extendedKib);
      assert.equal(get(0x34) | (get(0x35) << 8), above16);
      assert.equal(get(0x5b) | (get(0x5c) << 8) | (get(0x5d) << 16), above4);
      assert.equal(get(0x5f), 7);
    }
  });

  it("keeps the checksum that power-on self-tests compare", () => {
    const bytes = cmosContents(512 * 2 ** 20, 1);
    let sum = 0;
    for (let at = 0x10; at <= 0x2d; at++) sum += bytes.get(at) ?? 0;
    assert.equal((bytes.get(0x2e)! << 8) | bytes.get(0x2f)!, sum);
  });

  it("keeps CMOS RAM that the guest writes, and ignores the NMI bit of the index", () => {
    put(0x40, 0x5a);
    assert.equal(get(0x40 | 0x80), 0x5a);
    assert.equal(machine.in(0x70), 0xff);
  });

  it("stops its interrupts at reset and keeps time and RAM", () => {
    put(0x40, 0x5a);
    put(0x0b, B_24H | B_UIE);
    machine.advance(1000);
    device.reset!();
    assert.equal(machine.lines.get(8), false);
    assert.equal(get(0x0b) & 0x70, 0);
    assert.equal(get(0x40), 0x5a);
    machine.advance(5000);
    assert.equal(machine.lines.get(8), false);
  });

  it("survives the host's clock going backwards", () => {
    put(0x0b, B_24H | B_UIE);
    machine.wallStartMs -= 3600 * 1000;
    assert.deepEqual(bcdTime(), [0x22, 0x59, 0x50]);
    machine.advance(2000);
    get(0x0c);
    machine.advance(1000);
    assert.equal(get(0x0c) & 0x10, 0x10);
  });

  it("arms no timer while paused, and notices afterwards what it missed", () => {
    put(0x0b, B_24H | B_UIE);
    void device.pause!();
    assert.equal(machine.armedTimers, 0);
    machine.advance(5000);
    assert.equal(machine.lines.get(8) ?? false, false);
    void device.resume!();
    assert.equal(machine.lines.get(8), true);
  });

  it("goes on in another machine from its saved state", async () => {
    put(0x0b, B_SET | B_24H);
    put(9, 0x30);
    put(0x0b, B_24H);
    put(0x0b, B_24H | B_BINARY);
    machine.out(0x70, 0x09);
    const state = JSON.parse(JSON.stringify(await device.saveState!()));
    machine = new FakeMachine();
    device = await machine.attach(rtcPlugin);
    await device.loadState!(state);
    assert.equal(machine.in(0x71), 30); // the index is part of the state
    await assert.rejects(device.loadState!({ ...state, version: 99 }), { code: "VM_UNSUPPORTED" });
  });

  it("can be told to differ from the host", async () => {
    machine = new FakeMachine();
    await machine.attach(rtcPlugin, { offsetMs: 3600 * 1000 });
    assert.equal(get(4), 0x00);
  });
});

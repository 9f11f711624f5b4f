// The keyboard controller as a guest sees it: ports 60h and 64h, lines 1 and 12. The orders are those of Linux' i8042 and atkbd drivers.

import { strict as assert } from "node:assert";
import type { AttachedDevice } from "@ringzero/api";
import { i8042Plugin } from "@ringzero/devices";
import { FakeMachine } from "./fake-machine.js";

const OBF = 0x01;
const AUX = 0x20;

describe("i8042", () => {
  let machine: FakeMachine;
  let device: AttachedDevice;
  const command = (value: number, ...data: number[]) => {
    machine.out(0x64, value);
    for (const byte of data) machine.out(0x60, byte);
  };
  const status = () => machine.in(0x64);
  /** Everything in the output buffer, bytes of the mouse with 100h added. */
  const drain = () => {
    const bytes: number[] = [];
    for (let state = status(); (state & OBF) !== 0; state = status()) bytes.push(machine.in(0x60) | ((state & AUX) << 3));
    return bytes;
  };
  const keyboard = (...bytes: number[]) => {
    for (const byte of bytes) machine.out(0x60, byte);
    return drain();
  };
  const mouse = (...bytes: number[]) => {
    for (const byte of bytes) command(0xd4, byte);
    return drain();
  };
  const press = (...scancodes: number[]) => device.commands!["press-keys"]!({ scancodes });

  beforeEach(async () => {
    machine = new FakeMachine();
    device = await machine.attach(i8042Plugin);
  });

  it("passes its self-test and its line tests", () => {
    command(0xaa);
    assert.deepEqual(drain(), [0x55]);
    command(0xab);
    assert.deepEqual(drain(), [0x00]);
    command(0xa9);
    assert.deepEqual(drain(), [0x00]);
  });

  it("keeps its control register and its RAM", () => {
    command(0x60, 0x47);
    command(0x20);
    assert.deepEqual(drain(), [0x47]);
    command(0x65, 0x12);
    command(0x25);
    assert.deepEqual(drain(), [0x12]);
  });

  it("shows in the control register what commands switch", () => {
    command(0x60, 0x00);
    command(0xa7);
    command(0x20);
    assert.deepEqual(drain(), [0x20]);
    command(0xa8);
    command(0xad);
    command(0x20);
    assert.deepEqual(drain(), [0x10]);
    command(0xae);
    command(0x20);
    assert.deepEqual(drain(), [0x00]);
  });

  it("says in its status whether command or data was written last", () => {
    command(0x20);
    assert.equal(status() & 0x08, 0x08);
    drain();
    command(0x60, 0x47);
    assert.equal(status() & 0x08, 0);
    assert.equal(status() & 0x14, 0x14);
  });

  it("loops bytes back as the keyboard's and the mouse's, and is no multiplexer", () => {
    command(0xd2, 0x99);
    assert.deepEqual(drain(), [0x99]);
    for (const byte of [0xf0, 0x56, 0xa4]) {
      command(0xd3, byte);
      assert.deepEqual(drain(), [0x100 | byte]);
    }
  });

  it("interrupts on line 12 for a looped mouse byte, as Linux tests it", () => {
    command(0x60, 0x02);
    command(0xd3, 0xa5);
    assert.deepEqual(machine.edges.splice(0), ["irq 12 up"]);
    assert.deepEqual(drain(), [0x1a5]);
    assert.deepEqual(machine.edges, ["irq 12 down"]);
  });

  it("finds a keyboard: reset, identify, LEDs, echo", () => {
    command(0x60, 0x05); // no translation
    assert.deepEqual(keyboard(0xff), [0xfa, 0xaa]);
    assert.deepEqual(keyboard(0xf2), [0xfa, 0xab, 0x83]);
    assert.deepEqual(keyboard(0xed, 0x02), [0xfa, 0xfa]);
    assert.deepEqual(keyboard(0xf3, 0x20), [0xfa, 0xfa]);
    assert.deepEqual(keyboard(0xee), [0xee]);
    assert.deepEqual(keyboard(0xfe), [0xee]);
    assert.deepEqual(keyboard(0x01), [0xfe]);
  });

  it("translates the keyboard's answers too, as the real one does", () => {
    assert.deepEqual(keyboard(0xf2), [0xfa, 0xab, 0x41]);
  });

  it("tells and takes the scan code set", () => {
    command(0x60, 0x05);
    assert.deepEqual(keyboard(0xf0, 0x00), [0xfa, 0xfa, 0x02]);
    assert.deepEqual(keyboard(0xf0, 0x01), [0xfa, 0xfa]);
    press(0x1e, 0x9e);
    assert.deepEqual(drain(), [0x1e, 0x9e]);
    assert.deepEqual(keyboard(0xf0, 0x07), [0xfa, 0xfe]);
  });

  it("takes a command in place of an argument", () => {
    command(0x60, 0x05);
    assert.deepEqual(keyboard(0xed, 0xf2), [0xfa, 0xfa, 0xab, 0x83]);
  });

  it("delivers keys in set 1 when it translates and in set 2 when not", () => {
    press(0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8); // A and cursor up
    assert.deepEqual(drain(), [0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8]);
    command(0x60, 0x05);
    press(0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8);
    assert.deepEqual(drain(), [0x1c, 0xf0, 0x1c, 0xe0, 0x75, 0xe0, 0xf0, 0x75]);
  });

  it("gives every set 1 key back as it was pressed", () => {
    for (let code = 1; code < 0x59; code++) {
      press(code, code | 0x80);
      assert.deepEqual(drain(), [code, code | 0x80], `key ${code.toString(16)}`);
    }
  });

  it("raises line 1 anew for each byte", () => {
    command(0x60, 0x41);
    press(0x1e, 0x9e);
    assert.deepEqual(machine.edges.splice(0), ["irq 1 up"]);
    machine.in(0x60);
    assert.deepEqual(machine.edges.splice(0), ["irq 1 down", "irq 1 up"]);
    machine.in(0x60);
    assert.deepEqual(machine.edges, ["irq 1 down"]);
  });

  it("holds keys back while the keyboard is switched off, and loses them while scanning is", () => {
    command(0xad);
    press(0x1e);
    assert.deepEqual(drain(), []);
    command(0xae);
    assert.deepEqual(drain(), [0x1e]);
    assert.deepEqual(keyboard(0xf5), [0xfa]);
    press(0x1e);
    assert.deepEqual(drain(), []);
    assert.deepEqual(keyboard(0xf4), [0xfa]);
    press(0x1e);
    assert.deepEqual(drain(), [0x1e]);
  });

  it("keeps a bounded number of keys for a guest that never reads", () => {
    for (let i = 0; i < 10_000; i++) press(0x1e, 0x9e);
    assert.ok(drain().length < 1000);
  });

  it("finds a standard mouse, which reports when it is asked to", () => {
    assert.deepEqual(mouse(0xff), [0x1fa, 0x1aa, 0x100]);
    assert.deepEqual(mouse(0xf2), [0x1fa, 0x100]);
    assert.deepEqual(mouse(0xe8, 0x03), [0x1fa, 0x1fa]);
    assert.deepEqual(mouse(0xf3, 200), [0x1fa, 0x1fa]);
    assert.deepEqual(mouse(0xe9), [0x1fa, 0x100, 0x103, 0x100 | 200]);
    device.commands!["move-mouse"]!({ dx: 1, dy: -1, buttons: 1 });
    assert.deepEqual(drain(), []);
    assert.deepEqual(mouse(0xf4), [0x1fa]);
    device.commands!["move-mouse"]!({ dx: 1, dy: -1, buttons: 1 });
    assert.deepEqual(drain(), [0x129, 0x101, 0x1ff]);
    assert.deepEqual(mouse(0x42), [0x1fe]);
  });

  it("resets the machine by a pulse and by the output port, and not by other pulses", () => {
    command(0xff);
    command(0xd1, 0xdf);
    assert.deepEqual(machine.power, []);
    command(0xfe);
    command(0xd1, 0xde);
    assert.deepEqual(machine.power, ["reset", "reset"]);
  });

  it("lets the A20 bit be read back", () => {
    command(0xd1, 0xdd);
    command(0xd0);
    assert.equal(drain()[0]! & 0x02, 0);
    command(0xdf);
    command(0xd0);
    assert.equal(drain()[0]! & 0x02, 0x02);
  });

  it("ignores commands that it does not know", () => {
    for (const unknown of [0x00, 0x9f, 0xb0, 0xc8]) {
      command(unknown);
      assert.deepEqual(drain(), []);
    }
  });

  it("takes any bytes at all without failing", () => {
    let seed = 1;
    for (let i = 0; i < 20_000; i++) {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      if (seed & 0x10000) machine.out(seed & 0x20000 ? 0x64 : 0x60, (seed >> 20) & 0xff);
      else assert.ok(machine.in(seed & 0x20000 ? 0x64 : 0x60) <= 0xff);
    }
  });

  it("is as at power-on after a reset", () => {
    command(0x60, 0x03);
    press(0x1e);
    device.reset!();
    assert.deepEqual(drain(), []);
    assert.equal(machine.lines.get(1), false);
  });

  it("refuses nonsense from the embedder", () => {
    assert.throws(() => device.commands!["press-keys"]!({ scancodes: [300] }), TypeError);
    assert.throws(() => device.commands!["press-keys"]!(), TypeError);
    assert.throws(() => device.commands!["move-mouse"]!({ dx: 1.5, dy: 0, buttons: 0 }), TypeError);
  });

  it("goes on in another machine from its saved state", async () => {
    command(0x60, 0x41);
    press(0x1e, 0x9e);
    const state = JSON.parse(JSON.stringify(await device.saveState!()));
    machine = new FakeMachine();
    device = await machine.attach(i8042Plugin);
    await device.loadState!(state);
    assert.equal(machine.lines.get(1), true);
    assert.deepEqual(drain(), [0x1e, 0x9e]);
    await assert.rejects(device.loadState!({ version: 2, data: {} }), { code: "VM_UNSUPPORTED" });
  });
});

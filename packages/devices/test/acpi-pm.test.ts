// Fixed ACPI hardware as a guest sees it: ports 600h–60Bh and 620h–623h, SCI on line 9.

import { strict as assert } from "node:assert";
import type { AttachedDevice } from "@ringzero/api";
import { acpiPmPlugin, PM_TIMER_HZ } from "@ringzero/devices";
import { FakeMachine } from "./fake-machine.js";

const STATUS = 0x600;
const ENABLE = 0x602;
const CONTROL = 0x604;
const TIMER = 0x608;
const GPE0_STATUS = 0x620;
const SLP_EN = 0x2000;
const PWRBTN = 0x100;
const SLPBTN = 0x200;

describe("acpi-pm", () => {
  let machine: FakeMachine;
  let device: AttachedDevice;
  beforeEach(async () => {
    machine = new FakeMachine();
    device = await machine.attach(acpiPmPlugin);
  });

  it("is always in ACPI mode", () => {
    assert.equal(machine.in(CONTROL, 2), 1);
    machine.out(CONTROL, 0, 2);
    assert.equal(machine.in(CONTROL, 2), 1);
  });

  it("powers off at sleep type 5 with SLP_EN, and not without", () => {
    machine.out(CONTROL, 5 << 10, 2);
    assert.deepEqual(machine.power, []);
    machine.out(CONTROL, (5 << 10) | SLP_EN, 2);
    assert.deepEqual(machine.power, ["power-off"]);
    assert.equal(machine.in(CONTROL, 2) & SLP_EN, 0);
  });

  it("powers off by byte writes too", () => {
    machine.out(CONTROL + 1, ((5 << 10) | SLP_EN) >> 8);
    assert.deepEqual(machine.power, ["power-off"]);
  });

  it("goes on after a sleep type that nobody announced, and says so", () => {
    machine.out(CONTROL, (1 << 10) | SLP_EN, 2);
    assert.deepEqual(machine.power, []);
    assert.equal(machine.logged[0]?.fields["type"], 1);
  });

  it("raises SCI for a button only while its event is enabled, until the status is cleared", () => {
    device.commands!["press-power-button"]!();
    assert.equal(machine.in(STATUS, 2), PWRBTN);
    assert.equal(machine.lines.get(9) ?? false, false);
    machine.out(ENABLE, PWRBTN | SLPBTN, 2);
    assert.equal(machine.lines.get(9), true);
    machine.out(STATUS, SLPBTN, 2); // another bit
    assert.equal(machine.lines.get(9), true);
    machine.out(STATUS, PWRBTN, 2);
    assert.equal(machine.lines.get(9), false);
    device.commands!["press-sleep-button"]!();
    assert.equal(machine.lines.get(9), true);
    machine.out(ENABLE, 0, 2);
    assert.equal(machine.lines.get(9), false);
  });

  it("clears by a byte write only what the byte names", () => {
    device.commands!["press-power-button"]!();
    device.commands!["press-sleep-button"]!();
    machine.out(STATUS, 0xff);
    assert.equal(machine.in(STATUS, 2), PWRBTN | SLPBTN);
    machine.out(STATUS + 1, PWRBTN >> 8);
    assert.equal(machine.in(STATUS, 2), SLPBTN);
  });

  it("serves status and enable as one double word", () => {
    machine.out(STATUS, PWRBTN * 0x10000, 4);
    assert.equal(machine.in(ENABLE, 2), PWRBTN);
    device.commands!["press-power-button"]!();
    assert.equal(machine.in(STATUS, 4), PWRBTN * 0x10001);
  });

  it("counts at 3.579545 MHz, in 32 bits", () => {
    machine.advance(1000);
    assert.equal(machine.in(TIMER, 4), PM_TIMER_HZ);
    machine.advance(1_200_000);
    assert.equal(machine.in(TIMER, 4), (PM_TIMER_HZ * 1201) % 2 ** 32);
    assert.equal(machine.in(TIMER + 1), Math.floor(((PM_TIMER_HZ * 1201) % 2 ** 32) / 256) % 256);
  });

  it("raises its event when the top bit turns over, with a timer only when the guest enabled it", () => {
    assert.equal(machine.armedTimers, 0);
    machine.advance(700_000);
    assert.equal(machine.in(STATUS, 2), 1);
    machine.out(STATUS, 1, 2);
    machine.out(ENABLE, 1, 2);
    assert.equal(machine.armedTimers, 1);
    machine.advance(700_000);
    assert.equal(machine.lines.get(9), true);
    device.reset!();
    assert.equal(machine.lines.get(9), false);
    assert.equal(machine.armedTimers, 0);
  });

  it("has a general-purpose event block that can be enabled and is quiet", () => {
    machine.out(GPE0_STATUS, 0xffff0000, 4);
    assert.equal(machine.in(GPE0_STATUS, 4), 0xffff0000);
    assert.equal(machine.lines.get(9) ?? false, false);
  });

  it("goes on in another machine from its saved state", async () => {
    machine.advance(10_000);
    machine.out(ENABLE, PWRBTN, 2);
    device.commands!["press-power-button"]!();
    const state = JSON.parse(JSON.stringify(await device.saveState!()));
    machine = new FakeMachine();
    machine.nowMs = 12_345;
    device = await machine.attach(acpiPmPlugin);
    await device.loadState!(state);
    assert.equal(machine.in(TIMER, 4), PM_TIMER_HZ * 10);
    assert.equal(machine.lines.get(9), true);
    await assert.rejects(device.loadState!({ version: 2, data: {} }), { code: "VM_UNSUPPORTED" });
  });
});

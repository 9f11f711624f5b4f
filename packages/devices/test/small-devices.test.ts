// The devices of one or two ports: system-control, debug-exit, log-port, post-card; and the platform that composes a PC.

import { strict as assert } from "node:assert";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DevicePlugin, pcRamLayout } from "@ringzero/api";
import allPlugins, { debugExitPlugin, logPortPlugin, pcPlatform, postCardPlugin, systemControlPlugin } from "@ringzero/devices";
import { FakeMachine } from "./fake-machine.js";

const BOOT = { kind: "firmware", image: "rom" } as const;

describe("system-control", () => {
  it("resets by CF9h when bit 2 rises, as ACPI's reset register does", async () => {
    const machine = new FakeMachine();
    await machine.attach(systemControlPlugin);
    machine.out(0xcf9, 0x02);
    assert.deepEqual(machine.power, []);
    machine.out(0xcf9, 0x06);
    assert.deepEqual(machine.power, ["reset"]);
    machine.out(0xcf9, 0x06);
    assert.deepEqual(machine.power, ["reset"]);
    assert.equal(machine.in(0xcf9), 0x06);
  });

  it("takes a PCI probe for no reset: a double word at CF8h, and bytes beside CF9h", async () => {
    const machine = new FakeMachine();
    await machine.attach(systemControlPlugin);
    machine.out(0xcf8, 0x80000600, 4);
    machine.out(0xcfb, 0x01);
    machine.out(0xcf8, 0xff);
    assert.deepEqual(machine.power, []);
    assert.equal(machine.in(0xcf8, 4), 0xffffffff);
    assert.equal(machine.in(0xcf8), 0xff);
  });

  it("resets by port 92h when bit 0 rises, and lets A20 be read back", async () => {
    const machine = new FakeMachine();
    const device = await machine.attach(systemControlPlugin);
    assert.equal(machine.in(0x92), 0x02);
    machine.out(0x92, 0x00);
    assert.equal(machine.in(0x92), 0x00);
    machine.out(0x92, 0x03);
    assert.deepEqual(machine.power, ["reset"]);
    device.reset!();
    assert.equal(machine.in(0x92), 0x02);
    machine.out(0x92, 0x03);
    assert.deepEqual(machine.power, ["reset", "reset"]);
  });
});

describe("debug-exit", () => {
  it("ends the machine with the guest's code, whatever the width", async () => {
    const machine = new FakeMachine();
    await machine.attach(debugExitPlugin);
    machine.out(0xf4, 0);
    machine.out(0xf4, 42);
    machine.out(0xf4, 0x1234, 2);
    machine.out(0xf4, 0xffffff07, 4);
    assert.deepEqual(machine.power, ["exit 0", "exit 42", "exit 52", "exit 7"]);
    assert.equal(machine.in(0xf4), 0xff);
  });

  it("lives at the port that it is given", async () => {
    const machine = new FakeMachine();
    await machine.attach(debugExitPlugin, { port: 0x501 });
    machine.out(0xf4, 1);
    machine.out(0x501, 2);
    assert.deepEqual(machine.power, ["exit 2"]);
  });
});

describe("log-port", () => {
  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "ringzero-log-port-"))));
  afterEach(() => rm(folder, { recursive: true }));

  it("writes every byte to the file, in order", async () => {
    const machine = new FakeMachine();
    const path = join(folder, "log");
    const device = await machine.attach(logPortPlugin, { path });
    assert.equal(machine.in(0xe9), 0xe9);
    const bytes = Buffer.from(Array.from({ length: 50_000 }, (_, i) => (i * 7) & 0xff));
    for (const byte of bytes) machine.out(0xe9, byte);
    await device.dispose!();
    assert.deepEqual(await readFile(path), bytes);
  });

  it("shows what was written once the guest falls silent", async () => {
    const machine = new FakeMachine();
    const path = join(folder, "log");
    await machine.attach(logPortPlugin, { path });
    for (const byte of Buffer.from("hello")) machine.out(0xe9, byte);
    assert.equal(await readFile(path, "utf8"), "");
    machine.advance(100);
    assert.equal(await readFile(path, "utf8"), "hello");
    assert.equal(machine.armedTimers, 0);
  });

  it("refuses a file that cannot be made, naming it", async () => {
    const machine = new FakeMachine();
    const path = join(folder, "absent", "log");
    await assert.rejects(machine.attach(logPortPlugin, { path }), (error: { code: string; message: string }) => {
      assert.equal(error.code, "DEVICE_OPTIONS");
      assert.match(error.message, /log-port: path: .*absent.*ENOENT/);
      return true;
    });
  });
});

describe("post-card", () => {
  it("rings a doorbell instead of stopping the guest, where there are doorbells", async () => {
    const machine = new FakeMachine();
    machine.offersDoorbells = true;
    const device = await machine.attach(postCardPlugin);
    assert.deepEqual(machine.doorbells, [{ port: 0x80, size: 1 }]);
    await device.dispose!();
    assert.deepEqual(machine.doorbells, []);
  });

  it("keeps the last code without doorbells, and says nothing", async () => {
    const machine = new FakeMachine();
    await machine.attach(postCardPlugin);
    machine.out(0x80, 0x55);
    assert.equal(machine.in(0x80), 0x55);
    assert.deepEqual(machine.logged, []);
  });

  it("logs each code when it traces, and asks for no doorbell then", async () => {
    const machine = new FakeMachine();
    machine.offersDoorbells = true;
    await machine.attach(postCardPlugin, { trace: true });
    machine.out(0x80, 0x55);
    assert.deepEqual(
      machine.logged.map(({ fields }) => fields["code"]),
      [0x55],
    );
    assert.deepEqual(machine.doorbells, []);
  });
});

describe("pc platform", () => {
  it("composes devices that fit together, all of them found among the plugins", async () => {
    const machine = new FakeMachine();
    for (const { plugin } of pcPlatform.devices({ memory: "64MiB", boot: BOOT })) {
      const found = allPlugins.find((candidate) => candidate.kind === "device" && candidate.name === plugin) as
        | DevicePlugin
        | undefined;
      assert.ok(found, plugin);
      await machine.attach(found);
    }
    await machine.attach(debugExitPlugin); // the optional ones fit beside them
    assert.equal(machine.in(0xcfc, 4), 0xffffffff); // there is no PCI
  });

  it("has as many serial ports as the spec says", () => {
    const at = (serial?: number) =>
      pcPlatform.uarts({ memory: "64MiB", boot: BOOT, ...(serial === undefined ? {} : { serial }) });
    assert.deepEqual(at(), [{ port: 0x3f8, irq: 4 }]);
    assert.deepEqual(at(0), []);
    assert.deepEqual(
      at(4).map(({ port }) => port),
      [0x3f8, 0x2f8, 0x3e8, 0x2e8],
    );
  });

  it("leaves out a device whose id the spec takes over", () => {
    const devices = pcPlatform.devices({
      memory: "64MiB",
      boot: BOOT,
      devices: [{ id: "post-card", plugin: "post-card", options: { trace: true } }],
    });
    assert.ok(!devices.some(({ id }) => id === "post-card"));
    assert.ok(devices.some(({ id }) => id === "rtc"));
  });

  it("has RAM where a PC has it, and a hole below 4 GiB", () => {
    assert.deepEqual(pcRamLayout(2 ** 29), [
      { at: 0, sizeBytes: 0xa0000 },
      { at: 0xc0000, sizeBytes: 2 ** 29 - 0xc0000 },
    ]);
    const large = pcRamLayout(8 * 2 ** 30);
    assert.deepEqual(large[2], { at: 2 ** 32, sizeBytes: 5 * 2 ** 30 });
    assert.equal(large[1]!.at + large[1]!.sizeBytes, 3 * 2 ** 30);
    for (const bad of [0, 4096, 3, 2 ** 29 + 1, Number.NaN, 1.5]) assert.throws(() => pcRamLayout(bad), RangeError);
  });
});

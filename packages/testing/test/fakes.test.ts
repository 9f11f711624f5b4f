// The fakes keep the contracts that they stand for.

import assert from "node:assert/strict";
import { RingzeroError, type VmExit } from "@ringzero/api";
import { ArrayMemory, FakeBackend, FakeClock, fakeGuest, type FakeStep, FakeUart } from "@ringzero/testing";

const coded = (code: string) => (error: unknown) => error instanceof RingzeroError && error.code === code;

describe("FakeBackend", () => {
  const config = {
    name: "t",
    vcpus: 1,
    memory: [{ at: 0, sizeBytes: 0x2000 }],
    cpuProfile: "fake-v1",
    uarts: [{ port: 0x3f8, irq: 4 }],
  };
  const create = (steps: readonly FakeStep[], handler: (exit: VmExit) => number | bigint | void) =>
    new FakeBackend().createVm({ ...config, options: fakeGuest(steps) }, handler);

  it("performs its script as exits, in order, and crashes at a wrong answer", async () => {
    const exits: string[] = [];
    const vm = await create(
      [
        { do: "out", port: 0x80, value: 1 },
        { do: "mmio-read", at: 0xf0000000, size: 8, expect: 5 },
        { do: "in", port: 0x81, expect: 3 },
      ],
      (exit) => {
        exits.push(exit.kind);
        return exit.kind === "mmio-read" ? 5n : 4;
      },
    );
    const reason = new Promise((resolve) => vm.on("crashed", (crash) => resolve(crash.reason)));
    vm.run();
    assert.equal(await reason, "in 0x81 gave 4, and 3 was expected");
    assert.deepEqual(exits, ["port-out", "mmio-read", "port-in"]);
  });

  it("guards its registers while it runs, and refuses everything once disposed of", async () => {
    const vm = await create([{ do: "spin" }], () => {});
    vm.run();
    await assert.rejects(vm.vcpus[0]!.getRegisters(), coded("VM_VCPU_BUSY"));
    await assert.rejects(vm.reset(), coded("VM_VCPU_BUSY"));
    await vm.pause();
    await vm.vcpus[0]!.setRegisters({ rip: 0x1000n });
    assert.equal((await vm.vcpus[0]!.getRegisters()).rip, 0x1000n);
    await vm.dispose();
    await vm.dispose();
    assert.throws(() => vm.run(), coded("VM_NOT_OPEN"));
  });

  it("refuses engine options that it does not have", async () => {
    await assert.rejects(
      new FakeBackend().createVm({ ...config, options: { turbo: true } }, () => {}),
      coded("VM_UNSUPPORTED"),
    );
  });
});

describe("FakeClock", () => {
  it("fires alarms in order, each at its time, also those set meanwhile, and none that was released", () => {
    const clock = new FakeClock(100);
    const fired: string[] = [];
    const note = (name: string) => () => void fired.push(`${name}@${clock.wallMs()}`);
    clock.after(20, note("b"));
    clock.after(10, () => {
      note("a")();
      clock.after(5, note("nested"));
    });
    clock.after(15, note("never")).release();
    clock.advance(9);
    assert.deepEqual(fired, []);
    clock.advance(11);
    assert.deepEqual(fired, ["a@110", "nested@115", "b@120"]);
    assert.equal(clock.nowNs(), 20_000_000n);
    assert.equal(clock.pending, 0);
  });
});

describe("ArrayMemory", () => {
  it("gives views within one range and nothing beyond", () => {
    const memory = new ArrayMemory([
      { at: 0, sizeBytes: 0x1000 },
      { at: 0x1000, sizeBytes: 0x1000 },
    ]);
    memory.view(0xff0, 16).fill(7);
    assert.deepEqual([...memory.read(0xffe, 2)], [7, 7]);
    assert.throws(() => memory.view(0xff8, 16), RangeError);
    assert.throws(() => memory.write(0x2000, Uint8Array.of(1)), RangeError);
    assert.throws(() => memory.view(0, 0), RangeError);
    assert.equal(memory.sizeBytes, 0x2000);
  });
});

describe("FakeUart", () => {
  it("takes what fits in either direction", () => {
    const uart = new FakeUart();
    assert.equal(uart.guestWrite(new Uint8Array(5000)), 4096);
    assert.equal(uart.read(new Uint8Array(8192)), 4096);
    assert.equal(uart.read(new Uint8Array(1)), 0);
    assert.equal(uart.write(Buffer.from("one\ntwo")), 7);
    assert.equal(Buffer.from(uart.guestReadLine()!).toString(), "one\n");
    assert.equal(uart.guestReadLine(), null);
  });
});

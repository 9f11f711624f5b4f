// Saved states: a guest goes on in another machine where it stopped in the first, and what cannot be honoured changes nothing.

import assert from "node:assert/strict";
import { statePartsOf } from "@ringzero/conformance";
import { MIB, needKvm, romMachine, until } from "./tiny-guest.js";

// mov dx,510h; out dx,ax; inc ax; jmp: a count that an interrupted guest must not lose or repeat
const COUNT = [0xba, 0x10, 0x05, 0xef, 0x40, 0xeb, 0xf9];

describe("the saved state of the kvm backend", () => {
  before(async function () {
    await needKvm(this);
  });

  it("lets a guest go on in another machine, again and again, with nothing lost or repeated", async () => {
    const values: number[] = [];
    const handler = (exit: { kind: string; value?: unknown }): void => {
      if (exit.kind === "port-out") values.push(Number(exit.value));
    };
    let vm = await romMachine(COUNT, handler);
    try {
      for (let round = 0; round < 30; round++) {
        const before = values.length;
        vm.run();
        await until(() => values.length > before + round, "it counts");
        await vm.pause();
        const state = await vm.saveState();
        const next = await romMachine(COUNT, handler);
        next.memory.write(0, vm.memory.read(0, MIB));
        await next.loadState(state);
        await vm.dispose();
        vm = next;
      }
      for (const [i, value] of values.entries()) assert.equal(value, i & 0xffff);
    } finally {
      await vm.dispose();
    }
  });

  it("is the same after a load, but for what time changes", async () => {
    const vm = await romMachine(COUNT, () => undefined, { vcpus: 2 });
    const other = await romMachine(COUNT, () => undefined, { vcpus: 2 });
    try {
      vm.run();
      await new Promise((resolve) => setTimeout(resolve, 5));
      await vm.pause();
      const first = statePartsOf(await vm.saveState());
      await other.loadState(await vm.saveState());
      const second = statePartsOf(await other.saveState());
      assert.deepEqual([...first.keys()].sort(), [...second.keys()].sort());
      for (const [name, bytes] of first) {
        if (name.startsWith("MSRS")) {
          assert.deepEqual(second.get(name)!.slice(16), bytes.slice(16), name); // behind the TSC
        } else if (name.startsWith("IRQC")) {
          assert.deepEqual(second.get(name)!.slice(0, 264), bytes.slice(0, 264), "8259 and IOAPIC");
          assert.deepEqual(second.get(name)!.slice(376), bytes.slice(376), "local APICs");
        } else {
          assert.deepEqual(second.get(name), bytes, name);
        }
      }
    } finally {
      await vm.dispose();
      await other.dispose();
    }
  });

  it("keeps what is on its way to the guest: an exception, an NMI, the shadow of STI or MOV SS, a start-up message", async () => {
    const vm = await romMachine(COUNT, () => undefined, { vcpus: 2 });
    try {
      const again = async (
        change: (found: ReadonlyMap<string, Uint8Array>) => void,
      ): Promise<ReadonlyMap<string, Uint8Array>> => {
        await vm.reset();
        const state = await vm.saveState();
        change(statePartsOf(state));
        await vm.loadState(state);
        return statePartsOf(await vm.saveState());
      };
      const lapic = (found: ReadonlyMap<string, Uint8Array>, vcpu: number): Uint8Array =>
        found.get("IRQC0")!.subarray(376 + 1072 * vcpu);
      // #GP(40h); docs/state-format.md, "Further processor state"
      let found = await again((all) => all.get("VCPU0")!.set([0x40, 0, 0, 0, 13, 1], 112));
      assert.deepEqual([...found.get("VCPU0")!.subarray(112, 118)], [0x40, 0, 0, 0, 13, 1]);
      for (const shadow of [1, 2]) {
        found = await again((all) => all.get("VCPU0")!.set([shadow], 121));
        assert.equal(
          found.get("VCPU0")![121]! & shadow,
          shadow,
          "the shadow, alone or with the other, as processors do that do not say which",
        );
      }
      found = await again(() => undefined);
      assert.equal(found.get("VCPU0")![121], 0);
      found = await again((all) => lapic(all, 0).set([1], 4));
      assert.equal(lapic(found, 0)[4]! & 1, 1, "an NMI");
      // INIT and SIPI that the second processor has not looked at: it is about to run at 9000h.
      found = await again((all) => lapic(all, 1).set([6, 0, 0, 0, 9], 4));
      const registers = new DataView(found.get("REGS1")!.buffer, found.get("REGS1")!.byteOffset);
      assert.equal(found.get("VCPU1")![119], 0, "it waits for nothing");
      assert.equal(registers.getUint16(144 + 16, true), 0x900, "CS");
      assert.equal(registers.getBigUint64(128, true), 0n, "RIP");
    } finally {
      await vm.dispose();
    }
  });

  it("keeps where channel 0 of the 8254 is in its period, by a load that takes as long", async () => {
    const vm = await romMachine(COUNT, () => undefined);
    try {
      const state = await vm.saveState();
      const pit = statePartsOf(state).get("IRQC0")!.subarray(264); // docs/state-format.md, "8254"
      const view = new DataView(pit.buffer, pit.byteOffset, pit.byteLength);
      const elapsed = 30_000; // 25 ms of 50
      view.setUint32(0, 59_659, true);
      pit.set([3, 3, 0, 3, 2, 0, 1], 9); // read and write by two bytes, mode 2, GATE
      view.setBigInt64(16, BigInt(elapsed), true);
      view.setUint32(92, 1, true); // it was given a count
      for (let round = 0; round < 3; round += 1) {
        const began = performance.now();
        await vm.loadState(state);
        assert.ok(performance.now() - began >= 25, "KVM begins a period when it is given the 8254");
        const saved = statePartsOf(await vm.saveState())
          .get("IRQC0")!
          .subarray(264);
        const ticks = Number(new DataView(saved.buffer, saved.byteOffset).getBigInt64(16, true));
        const sinceTicks = ((performance.now() - began) * 1_193_182) / 1000;
        assert.ok(ticks >= elapsed && ticks <= sinceTicks + 2, `${ticks} ticks of the period, or of a later one`);
        assert.equal(saved[11], 0, "nothing is left of how this is known");
      }
    } finally {
      await vm.dispose();
    }
  });

  it("is refused when it is damaged, newer or of another machine, and then nothing has changed", async () => {
    const vm = await romMachine(COUNT, () => undefined);
    try {
      const good = await vm.saveState();
      const before = await vm.vcpus[0]!.getRegisters();
      const broken = (change: (bytes: Uint8Array) => Uint8Array): Uint8Array => change(good.slice());
      const set = (at: number, value: number) =>
        broken((bytes) => {
          bytes[at] = value;
          return bytes;
        });
      for (const state of [
        set(0, 0), // magic
        set(4, 2), // version
        set(16, 2), // vCPUs
        set(30, 1), // rate of the TSC
        broken((bytes) => bytes.slice(0, -8)),
        broken((bytes) => {
          statePartsOf(bytes).get("MSRS0")!.set([0xff, 0xff, 0xff, 0x7f], 16); // an MSR that nobody knows
          return bytes;
        }),
        broken((bytes) => {
          statePartsOf(bytes).get("REGS0")!.fill(0xff, 304, 312); // CR0
          return bytes;
        }),
      ]) {
        await assert.rejects(vm.loadState(state), { code: "VM_UNSUPPORTED" });
        assert.deepEqual(await vm.vcpus[0]!.getRegisters(), before);
      }
      vm.run();
      await assert.rejects(vm.saveState(), { code: "VM_VCPU_BUSY" });
      await vm.pause();
    } finally {
      await vm.dispose();
    }
  });
});

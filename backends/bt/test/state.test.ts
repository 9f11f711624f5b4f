// Saved state: a guest goes on in another machine where it was, and what is not a state is refused whole.

import assert from "node:assert/strict";
import type { VmConfig, VmExit } from "@ringzero/api";
import { BtVm } from "@ringzero/backend-bt";
import { stateMsr, statePartsOf } from "@ringzero/conformance";
import { MIB, until } from "./scripted-vm.js";

const ROM_AT = 0xffff0000;
const config: VmConfig = {
  name: "state",
  vcpus: 1,
  memory: [
    { at: 0, sizeBytes: MIB },
    { at: ROM_AT, sizeBytes: 0x10000, readOnly: true },
  ],
  cpuProfile: "x86-64-v2",
  uarts: [{ port: 0x3f8, irq: 4 }],
};

// fninit; fldpi; xor ebx,ebx; program the UART's scratch register with 5Ah;
// again: inc ebx; mov eax,ebx; out 80h,eax; mov cx,2000; loop $; jmp again
const CODE = [
  0xdb, 0xe3, 0xd9, 0xeb, 0x66, 0x31, 0xdb, 0xba, 0xff, 0x03, 0xb0, 0x5a, 0xee, 0x66, 0x43, 0x66, 0x89, 0xd8, 0x66, 0xe7, 0x80,
  0xb9, 0xd0, 0x07, 0xe2, 0xfe, 0xeb, 0xf1,
];

async function machine(seen: number[]): Promise<BtVm> {
  const vm = await BtVm.create(config, (exit: VmExit) => {
    if (exit.kind === "port-out" && exit.port === 0x80) seen.push(exit.value);
  });
  vm.memory.write(ROM_AT, Uint8Array.from(CODE));
  vm.memory.write(ROM_AT + 0xfff0, Uint8Array.of(0xe9, 0x0d, 0x00)); // jmp 0
  return vm;
}

describe("the saved state of a bt machine", () => {
  it("lets another machine go on at the same instruction, with the same registers and FPU", async () => {
    const first: number[] = [];
    const second: number[] = [];
    const source = await machine(first);
    const target = await machine(second);
    try {
      source.run();
      await until(() => first.length >= 5, "the guest counted");
      await source.pause();
      const state = await source.saveState();
      const before = await source.vcpus[0]!.getRegisters();
      await target.loadState(state);
      assert.deepEqual(await target.vcpus[0]!.getRegisters(), before);
      const again = await target.saveState();
      // FPU: fldpi's value is the 80-bit number at offset 32 of the XSAVE image.
      const pi = Buffer.from([0x35, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0x00, 0x40]);
      assert.ok(Buffer.from(again).includes(pi), "the x87 register came along");
      target.run();
      await until(() => second.length >= 3, "the second machine went on");
      await target.pause();
      assert.equal(second[0], first[first.length - 1]! + 1);
    } finally {
      await source.dispose();
      await target.dispose();
    }
  });

  it("is refused while vCPUs run", async () => {
    const vm = await machine([]);
    try {
      vm.run();
      await assert.rejects(vm.saveState(), { code: "VM_VCPU_BUSY" });
      await assert.rejects(vm.loadState(new Uint8Array(100)), { code: "VM_VCPU_BUSY" });
    } finally {
      await vm.dispose();
    }
  });

  it("is refused whole, with a reason, when it is cut, changed or of another machine", async () => {
    const vm = await machine([]);
    const other = await BtVm.create({ ...config, uarts: [] }, () => undefined);
    try {
      const good = await vm.saveState();
      const before = await vm.vcpus[0]!.getRegisters();
      const changed = (at: number, value: number): Uint8Array => {
        const copy = good.slice();
        copy[at] = value;
        return copy;
      };
      for (const [what, state, reason] of [
        ["nothing", new Uint8Array(0), /shorter/],
        ["noise", new Uint8Array(5000).fill(0xa5), /not the saved state/],
        ["a cut one", good.subarray(0, good.length - 8), /cut off/],
        ["one with more behind", Buffer.concat([good, Buffer.alloc(8)]), /cut off or/],
        ["another version", changed(4, 9), /version/],
        ["more vCPUs", changed(16, 2), /another number/],
        ["an unknown part", changed(40, 0x21), /unknown here/],
        ["a part that is too long", changed(52, 0xff), /ends inside|unknown|twice|wrong size/],
      ] as const) {
        await assert.rejects(vm.loadState(state), { code: "VM_UNSUPPORTED", message: reason }, what);
      }
      await assert.rejects(other.loadState(good), { code: "VM_UNSUPPORTED" });
      assert.deepEqual(await vm.vcpus[0]!.getRegisters(), before);
      await vm.loadState(good);
    } finally {
      await vm.dispose();
      await other.dispose();
    }
  });

  it("keeps what belongs to each of several vCPUs", async () => {
    const create = () => BtVm.create({ ...config, vcpus: 2 }, () => undefined);
    const [source, target] = [await create(), await create()];
    try {
      const state = await source.saveState();
      // Something of its own for each, in every part.
      for (const vcpu of [0, 1]) {
        const parts = statePartsOf(state);
        parts.get(`REGS${vcpu}`)![8] = 0x10 + vcpu; // RCX
        parts.get(`VCPU${vcpu}`)![8] = 0x20 + vcpu; // DR0
        parts.get(`XSAV${vcpu}`)![160] = 0x30 + vcpu; // XMM0
        stateMsr(state, vcpu, 0xc0000103).set(BigInt(0x40 + vcpu)); // TSC_AUX
        stateMsr(state, vcpu, 0x400 + 4 * (3 + vcpu)).set(0n); // a machine-check bank's CTL
      }
      await target.loadState(state);
      const saved = await target.saveState();
      for (const one of [state, saved]) for (const vcpu of [0, 1]) stateMsr(one, vcpu, 0x10).set(0n); // the time-stamp counter goes on
      const [before, after] = [statePartsOf(state), statePartsOf(saved)];
      assert.deepEqual([...after.keys()], [...before.keys()]);
      for (const [name, part] of before) {
        if (name.startsWith("IRQC")) continue; // times go on
        const now = after.get(name)!;
        assert.deepEqual(Buffer.from(now).toString("hex"), Buffer.from(part).toString("hex"), name);
      }
    } finally {
      await source.dispose();
      await target.dispose();
    }
  });

  it("is refused when it holds protection keys and the CPU profile has none", async () => {
    const vm = await machine([]);
    try {
      const state = await vm.saveState();
      statePartsOf(state).get("XSAV0")![513] = 2;
      await assert.rejects(vm.loadState(state), { code: "VM_UNSUPPORTED", message: /protection keys/ });
    } finally {
      await vm.dispose();
    }
  });

  it("keeps IGNNE#: what the handler of an x87 error does after its write of port F0h is not stopped by that error again", async () => {
    // fninit; fldcw cs:[40h]; fld1; fldz; fdivp; out F0h,al; fwait; mov al,1; out 80h,al; wait: in al,81h; test al,al; jz wait; fwait;
    // mov al,2; out 80h,al; jmp $
    const code = [
      0xdb, 0xe3, 0x2e, 0xd9, 0x2e, 0x40, 0x00, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0xe6, 0xf0, 0x9b, 0xb0, 0x01, 0xe6, 0x80,
    ];
    code.push(0xe4, 0x81, 0x84, 0xc0, 0x74, 0xfa, 0x9b, 0xb0, 0x02, 0xe6, 0x80, 0xeb, 0xfe);
    const said: number[] = [];
    let goOn = 0;
    const handler = (exit: VmExit): number | void => {
      if (exit.kind === "port-out" && exit.port === 0x80) said.push(exit.value);
      return goOn;
    };
    const vms = [await BtVm.create(config, handler), await BtVm.create(config, handler)] as const;
    try {
      for (const vm of vms) {
        vm.memory.write(ROM_AT, Uint8Array.from(code));
        vm.memory.write(ROM_AT + 0x40, Uint8Array.of(0x7b, 0x03)); // division by zero is not masked
        vm.memory.write(ROM_AT + 0xfff0, Uint8Array.of(0xe9, 0x0d, 0x00)); // jmp 0
      }
      const [from, to] = vms;
      from.run();
      await until(() => said.length === 1, "the first FWAIT went by");
      await from.pause();
      await to.loadState(await from.saveState());
      goOn = 1;
      to.run();
      await until(() => said.length === 2, "the second FWAIT went by, in the other machine");
      await to.pause();
      assert.deepEqual(said, [1, 2]);
    } finally {
      for (const vm of vms) await vm.dispose();
    }
  });
});

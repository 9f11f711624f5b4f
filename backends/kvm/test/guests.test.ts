// Tiny guests over this host's /dev/kvm: exits of every kind, natively served devices, pausing, reset, the end.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import type { VmEvents, VmExit } from "@ringzero/api";
import { KvmBackend, KvmVm } from "@ringzero/backend-kvm";
import { MIB, needKvm, romConfig, romMachine, until } from "./tiny-guest.js";

// mov dx,510h; in ax,dx; mov dx,511h; out dx,ax; inc word [0]; jmp start
const ECHO = [0xba, 0x10, 0x05, 0xed, 0xba, 0x11, 0x05, 0xef, 0xff, 0x06, 0x00, 0x00, 0xeb, 0xf2];
const SPIN = [0xff, 0x06, 0x00, 0x00, 0xeb, 0xfa]; // inc word [0]; jmp
const OUT_510 = [0xba, 0x10, 0x05, 0xee]; // mov dx,510h; out dx,al
const HALT = [0xf4, 0xeb, 0xfd];

function threadsOf(): string[] {
  return readdirSync("/proc/self/task")
    .map((id) => {
      try {
        return readFileSync(`/proc/self/task/${id}/comm`, "utf8").trim();
      } catch {
        return "";
      }
    })
    .filter((name) => name.startsWith("rz-kvm"));
}

describe("a guest of the kvm backend", () => {
  before(async function () {
    await needKvm(this);
  });

  it("reads a port, writes it to another, and counts in its memory", async () => {
    const echoed: number[] = [];
    let next = 100;
    const vm = await romMachine(ECHO, (exit) => {
      if (exit.kind === "port-in") return next++;
      if (exit.kind === "port-out") echoed.push(exit.value);
      return undefined;
    });
    try {
      vm.run();
      await until(() => echoed.length >= 5, "five values were echoed");
      await vm.pause();
      assert.deepEqual(echoed.slice(0, 5), [100, 101, 102, 103, 104]);
      const registers = await vm.vcpus[0]!.getRegisters();
      assert.equal(registers.cs.base, 0xffff0000n);
      assert.ok(registers.rip < 14n, `rip is 0x${registers.rip.toString(16)}`);
      assert.ok(vm.memory.view(0, 2)[0]! >= 4);
    } finally {
      await vm.dispose();
    }
  });

  it("leaves for string output once for each element, at its width", async () => {
    const seen: VmExit[] = [];
    // xor si,si; mov cx,3; mov dx,510h; cld; rep outsw; hlt
    const code = [0x31, 0xf6, 0xb9, 3, 0, 0xba, 0x10, 0x05, 0xfc, 0xf3, 0x6f, ...HALT];
    const vm = await romMachine(code, (exit) => void seen.push(exit));
    try {
      vm.memory.write(0, Uint8Array.of(1, 2, 3, 4, 5, 6));
      vm.run();
      await until(() => seen.length >= 3, "three words came out");
      assert.deepEqual(
        seen.map((exit) => exit.kind === "port-out" && [exit.port, exit.size, exit.value]),
        [
          [0x510, 2, 0x201],
          [0x510, 2, 0x403],
          [0x510, 2, 0x605],
        ],
      );
    } finally {
      await vm.dispose();
    }
  });

  it("reaches memory-mapped devices at the exact width: what is no memory is a device", async () => {
    const seen: VmExit[] = [];
    // mov ax,0f000h; mov ds,ax; mov byte [0],55h; mov ax,[2]; out
    const vm = await romMachine(
      [0xb8, 0x00, 0xf0, 0x8e, 0xd8, 0xc6, 0x06, 0x00, 0x00, 0x55, 0xa1, 0x02, 0x00, ...OUT_510, ...HALT],
      (exit) => {
        seen.push(exit);
        return exit.kind === "mmio-read" ? 0x1234n : undefined;
      },
      {
        memory: [
          { at: 0, sizeBytes: MIB / 2 },
          { at: 0xffff0000, sizeBytes: 0x10000, readOnly: true },
        ],
      },
    );
    try {
      vm.run();
      await until(() => seen.length >= 3, "three exits came");
      assert.deepEqual(seen, [
        { kind: "mmio-write", vcpu: 0, at: 0xf0000, size: 1, value: 0x55n },
        { kind: "mmio-read", vcpu: 0, at: 0xf0002, size: 2 },
        { kind: "port-out", vcpu: 0, port: 0x510, size: 1, value: 0x34 },
      ]);
    } finally {
      await vm.dispose();
    }
  });

  it("drops writes to read-only memory without an exit", async () => {
    const seen: VmExit[] = [];
    // mov ax,8000h; mov ds,ax; mov byte [0],55h; mov al,[0]; out
    const vm = await romMachine(
      [0xb8, 0x00, 0x80, 0x8e, 0xd8, 0xc6, 0x06, 0x00, 0x00, 0x55, 0xa0, 0x00, 0x00, ...OUT_510, ...HALT],
      (exit) => void seen.push(exit),
      {
        memory: [
          { at: 0, sizeBytes: MIB / 2 },
          { at: MIB / 2, sizeBytes: 4096, readOnly: true },
          { at: 0xffff0000, sizeBytes: 0x10000, readOnly: true },
        ],
      },
    );
    try {
      vm.memory.write(MIB / 2, Uint8Array.of(0xaa));
      vm.run();
      await until(() => seen.length > 0, "the byte came out");
      assert.deepEqual(seen, [{ kind: "port-out", vcpu: 0, port: 0x510, size: 1, value: 0xaa }]);
    } finally {
      await vm.dispose();
    }
  });

  it("writes its console through the native UART, without exits", async () => {
    let exits = 0;
    const text = "hello";
    const code = [0xba, 0xf8, 0x03, ...[...text].flatMap((c) => [0xb0, c.charCodeAt(0), 0xee]), ...HALT];
    const vm = await romMachine(code, () => void exits++);
    try {
      let output = "";
      vm.on("uart-output", () => {
        const into = new Uint8Array(64);
        const count = vm.uarts[0]!.read(into);
        output += new TextDecoder().decode(into.subarray(0, count));
      });
      vm.run();
      await until(() => output === text, "the console text");
      assert.equal(exits, 0);
    } finally {
      await vm.dispose();
    }
  });

  it("wakes from HLT by an interrupt line and runs its handler", async () => {
    const seen: number[] = [];
    // Handler at 0:600h: out 511h; EOI; iret. Main: sets the vector of IRQ 5 (PIC as the BIOS leaves it: base 8), unmasks, sti, hlt.
    const main = [
      0x31,
      0xc0,
      0x8e,
      0xd8,
      0x8e,
      0xd0,
      0xbc,
      0x00,
      0x70, // ds = ss = 0, sp = 7000h
      0xc7,
      0x06,
      0x34,
      0x00,
      0x00,
      0x06,
      0xc7,
      0x06,
      0x36,
      0x00,
      0x00,
      0x00, // vector 0Dh -> 0:600h
      0xb0,
      0x11,
      0xe6,
      0x20,
      0xb0,
      0x08,
      0xe6,
      0x21,
      0xb0,
      0x04,
      0xe6,
      0x21,
      0xb0,
      0x01,
      0xe6,
      0x21, // ICW1..4
      0xb0,
      0xdf,
      0xe6,
      0x21, // only IRQ 5
      0xfb,
      ...OUT_510,
      0xf4,
      0xeb,
      0xfd,
    ];
    const handler = [0xba, 0x11, 0x05, 0xee, 0xb0, 0x20, 0xe6, 0x20, 0xcf];
    const vm = await romMachine(main, (exit) => {
      if (exit.kind === "port-out") seen.push(exit.port);
    });
    try {
      vm.memory.write(0x600, Uint8Array.from(handler));
      vm.run();
      await until(() => seen.includes(0x510), "the guest is about to halt");
      for (let i = 1; i <= 3; i++) {
        vm.interrupts.setLine(5, true);
        vm.interrupts.setLine(5, false);
        await until(() => seen.filter((port) => port === 0x511).length === i, `interrupt ${i} was handled`);
      }
    } finally {
      await vm.dispose();
    }
  });

  it("stops for a pause while it spins, hundreds of times, and loses no wake-up", async () => {
    const vm = await romMachine(SPIN, () => undefined);
    try {
      const counter = vm.memory.view(0, 2);
      for (let i = 0; i < 300; i++) {
        vm.run();
        if (i % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        await vm.pause();
        const before = counter[0]! | (counter[1]! << 8);
        if (i % 50 === 0) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          assert.equal(counter[0]! | (counter[1]! << 8), before, "it ran while paused");
        }
      }
    } finally {
      await vm.dispose();
    }
  });

  it("starts again at the reset vector after a reset, with its memory kept", async () => {
    let reads = 0;
    const vm = await romMachine(ECHO, (exit) => (exit.kind === "port-in" ? ++reads : undefined));
    try {
      vm.run();
      await until(() => reads > 3, "it runs");
      await vm.pause();
      vm.memory.write(0x1000, Uint8Array.of(0x77));
      await vm.reset();
      const registers = await vm.vcpus[0]!.getRegisters();
      assert.equal(registers.rip, 0xfff0n);
      assert.equal(registers.cs.base, 0xffff0000n);
      assert.equal(registers.cr0, 0x60000010n);
      assert.equal(vm.memory.read(0x1000, 1)[0], 0x77);
      const before = reads;
      vm.run();
      await until(() => reads > before, "it runs again");
    } finally {
      await vm.dispose();
    }
  });

  it("keeps registers that are set, and starts there", async () => {
    const ports: number[] = [];
    const vm = await romMachine(HALT, (exit) => void (exit.kind === "port-out" && ports.push(exit.value)));
    try {
      vm.memory.write(0x2000, Uint8Array.from([...OUT_510, ...HALT]));
      const { cs, gpr } = await vm.vcpus[0]!.getRegisters();
      await vm.vcpus[0]!.setRegisters({ cs: { ...cs, selector: 0, base: 0n }, rip: 0x2000n, gpr: [0x5an, ...gpr.slice(1)] });
      const after = await vm.vcpus[0]!.getRegisters();
      assert.equal(after.rip, 0x2000n);
      assert.equal(after.gpr[0], 0x5an);
      vm.run();
      await until(() => ports.length > 0, "the output");
      assert.equal(ports[0], 0x5a);
      await assert.rejects(vm.vcpus[0]!.getRegisters(), { code: "VM_VCPU_BUSY" });
    } finally {
      await vm.dispose();
    }
  });

  it("reports a triple fault, stays down, and comes back by a reset", async () => {
    const seen: string[] = [];
    // lidt [cs:empty]; mov eax,cr0; or al,1; mov cr0,eax; mov ax,8; mov ds,ax: no such segment, and no IDT
    const code = [
      0x2e,
      0x0f,
      0x01,
      0x1e,
      0x20,
      0x00,
      0x0f,
      0x20,
      0xc0,
      0x0c,
      0x01,
      0x0f,
      0x22,
      0xc0,
      0xb8,
      8,
      0,
      0x8e,
      0xd8,
      ...HALT,
    ];
    const vm = await romMachine(code, (exit) => {
      seen.push(exit.kind === "shutdown" ? exit.cause : exit.kind);
    });
    try {
      vm.run();
      await until(() => seen.length > 0, "the shutdown");
      assert.deepEqual(seen, ["triple-fault"]);
      await vm.pause();
      await vm.reset();
      vm.run();
      await until(() => seen.length > 1, "the second shutdown");
    } finally {
      await vm.dispose();
    }
  });

  it("rings doorbells without an exit", async () => {
    let exits = 0;
    let rings = 0;
    const vm = await romMachine(
      [...OUT_510, 0xba, 0x12, 0x05, 0xee, ...HALT],
      (exit) => void (exit.kind === "port-out" && exits++),
    );
    try {
      vm.doorbell({ port: 0x510, size: 1 }, () => rings++);
      vm.run();
      await until(() => exits > 0 && rings > 0, "a ring and an exit");
      assert.equal(exits, 1);
      assert.equal(rings, 1);
    } finally {
      await vm.dispose();
    }
  });

  it("has huge pages where its RAM was touched, with what was in it, and none where it was not or they are unwanted", async () => {
    const memory = [{ at: MIB, sizeBytes: 63 * MIB }, ...romConfig().memory];
    const ordered = [memory[1]!, memory[0]!, memory[2]!];
    const touch = ({ memory: ram }: KvmVm): void => {
      for (let at = 8 * MIB; at < 12 * MIB; at += 0x8000) ram.write(at, Uint8Array.of(at >> 15, 7));
      ram.write(32 * MIB, Uint8Array.of(1)); // a single page is not worth it
    };
    const made = async (vm: KvmVm): Promise<number> => (await vm.inspection.counters())["huge_pages"]!;
    const vm = await romMachine(SPIN, () => undefined, { memory: ordered });
    try {
      touch(vm);
      vm.run();
      const limit = Date.now() + 10_000;
      while ((await made(vm)) < 2 && Date.now() < limit) await new Promise((later) => setTimeout(later, 5));
      if ((await made(vm)) === 0)
        return console.log("      skipped: MADV_COLLAPSE of Linux 6.1, with shmem_enabled at never, and free memory for it");
      await new Promise((later) => setTimeout(later, 50)); // for more than there should be
      assert.equal(await made(vm), 2);
      for (let at = 8 * MIB; at < 12 * MIB; at += 0x8000) assert.deepEqual([...vm.memory.read(at, 3)], [(at >> 15) & 0xff, 7, 0]);
      const before = vm.memory.view(0, 2).slice();
      await until(() => vm.memory.view(0, 2).some((byte, i) => byte !== before[i]), "the guest goes on counting");
    } finally {
      await vm.dispose();
    }
    const plain = await romMachine(SPIN, () => undefined, { memory: ordered, options: { hugePages: false } });
    try {
      touch(plain);
      plain.run();
      await new Promise((later) => setTimeout(later, 100));
      assert.equal(await made(plain), 0);
    } finally {
      await plain.dispose();
    }
    return undefined;
  });

  for (const ioeventfd of [true, false]) {
    it(`rings a doorbell for one value alone, ${ioeventfd ? "in the kernel" : "by exits"}, and loses no ring that came before a pause`, async () => {
      const others: number[] = [];
      let rings = 0;
      let finished = false;
      // mov cx,2000; mov dx,510h; again: mov al,7; out dx,al; mov al,8; test cl,cl; jnz 1f; out dx,al; 1: loop again; mov dx,511h; out dx,al; hlt
      const code = [
        0xb9, 0xd0, 0x07, 0xba, 0x10, 0x05, 0xb0, 7, 0xee, 0xb0, 8, 0x84, 0xc9, 0x75, 1, 0xee, 0xe2, 0xf4, 0xba, 0x11, 0x05, 0xee,
      ];
      const vm = await romMachine(
        [...code, ...HALT],
        (exit) => {
          if (exit.kind !== "port-out") return;
          if (exit.port === 0x511) finished = true;
          else others.push(Number(exit.value));
        },
        { options: { ioeventfd } },
      );
      try {
        const bell = vm.doorbell({ port: 0x510, size: 1, value: 7 }, () => rings++);
        const before = await vm.inspection.counters();
        vm.run();
        await until(() => finished, "it has written 2000 times");
        await vm.pause();
        assert.ok(rings > 0);
        assert.deepEqual(others, Array(7).fill(8)); // cl is 0 for seven of 2000 values of cx
        const after = await vm.inspection.counters();
        const exits = after["exits"]! - before["exits"]!;
        if (after["kernel_doorbell_writes"] === 0) {
          if (ioeventfd) console.log("      skipped: in the kernel: this KVM has no KVM_IOEVENTFD");
          assert.ok(exits >= 2000, `${exits} exits`);
        } else {
          assert.equal(after["kernel_doorbell_writes"], 2000);
          assert.ok(exits < 100, `${exits} exits`);
        }
        // Gone, its writes are exits again.
        bell.dispose();
        await vm.reset();
        finished = false;
        vm.run();
        await until(() => finished, "it has written 2000 times again");
        assert.equal(others.filter((value) => value === 7).length, 2000);
      } finally {
        await vm.dispose();
      }
    });
  }

  it("says which pages it wrote", async () => {
    let done = false;
    // mov byte [2000h],1 with ds=0; out
    const vm = await romMachine([0x31, 0xc0, 0x8e, 0xd8, 0xc6, 0x06, 0x00, 0x20, 1, ...OUT_510, ...HALT], () => {
      done = true;
    });
    try {
      await assert.rejects(vm.takeDirty(), { code: "VM_UNSUPPORTED" });
      await vm.trackDirty(true);
      await vm.takeDirty();
      vm.run();
      await until(() => done, "the write is done");
      assert.deepEqual(await vm.takeDirty(), [{ at: 0x2000, sizeBytes: 4096 }]);
      assert.deepEqual(await vm.takeDirty(), []);
    } finally {
      await vm.dispose();
    }
  });

  it("stops before a breakpoint, with its address", async () => {
    const at: bigint[] = [];
    let vm: KvmVm | undefined;
    vm = await romMachine([0x90, 0x90, 0x90, ...HALT], (exit) => void (exit.kind === "debug" && at.push(exit.rip)));
    try {
      await vm.vcpus[0]!.debug({ breakpoints: [0xffff0002n] });
      vm.run();
      await until(() => at.length > 0, "the breakpoint");
      assert.equal(at[0]! & 0xffffn, 2n);
      await vm.pause();
    } finally {
      await vm.dispose();
    }
  });

  it("goes on from a breakpoint that stays, and stops there again when it comes by again", async () => {
    const at: bigint[] = [];
    const values: number[] = [];
    // again: inc ax; mov dx,510h; out dx,ax; jmp again
    const vm = await romMachine([0x40, 0xba, 0x10, 0x05, 0xef, 0xeb, 0xf9], (exit) => {
      if (exit.kind === "debug") at.push(exit.rip);
      if (exit.kind === "port-out") values.push(Number(exit.value));
    });
    try {
      const { gpr } = await vm.vcpus[0]!.getRegisters();
      await vm.vcpus[0]!.setRegisters({ gpr: [0n, ...gpr.slice(1)] });
      await vm.vcpus[0]!.debug({ breakpoints: [0xffff0001n] });
      vm.run();
      await until(() => values.length >= 20, "it goes round");
      await vm.pause();
      assert.deepEqual(
        values,
        Array.from(values, (_, i) => i + 1),
        "no round was lost or repeated",
      );
      assert.ok(at.every((rip) => rip === 0xffff0001n));
      assert.ok(at.length - values.length <= 1, `${at.length} stops in ${values.length} rounds`);
      await vm.vcpus[0]!.debug({ singleStep: true, breakpoints: [0xffff0001n] });
      at.length = 0;
      vm.run();
      await until(() => at.length >= 8, "it steps");
      await vm.pause();
      // A KVM that emulates ring 0 in software does not stop behind OUT, at 5.
      const turns = at.map((rip) => Number(rip & 0xfn)).filter((offset) => offset !== 5);
      const after = new Map([0, 1, 4].map((offset, i, all) => [offset, all[(i + 1) % 3]]));
      for (const [i, offset] of turns.slice(1).entries()) assert.equal(offset, after.get(turns[i]!), turns.join());
    } finally {
      await vm.dispose();
    }
  });

  it("can be disposed of in any state, and leaves no thread and no descriptor behind", async () => {
    const descriptors = (): number => readdirSync("/proc/self/fd").length;
    await until(() => threadsOf().length === 0, "earlier machines are gone");
    const before = descriptors();
    for (let i = 0; i < 5; i++) {
      await (await romMachine(SPIN, () => undefined)).dispose();
      const running = await romMachine(SPIN, () => undefined);
      running.run();
      await running.dispose();
      const halted = await romMachine(HALT, () => undefined);
      halted.run();
      await new Promise((resolve) => setTimeout(resolve, 2));
      await halted.dispose();
      const inside = await romMachine(ECHO, () => void inside.dispose());
      inside.run();
      await new Promise((resolve) => setTimeout(resolve, 20));
      await inside.dispose();
      // With commands under way: each is answered or refused, none waits for ever.
      const busy = await romMachine(ECHO, () => 1, { vcpus: 2 });
      busy.doorbell({ port: 0x511, size: 2 }, () => undefined);
      busy.run();
      const under = [busy.pause(), busy.takeDirty(), busy.saveState(), busy.inspection.counters(), busy.vcpus[0]!.debug({})];
      for (let line = 0; line < 200; line++) busy.interrupts.setLine(5, line % 2 === 0);
      await Promise.all([busy.dispose(), busy.dispose(), ...under.map((one) => one.then(String, String))]);
      // At a breakpoint, and while it steps over it.
      const stopped = await romMachine(SPIN, () => undefined);
      await stopped.vcpus[0]!.debug({ breakpoints: [0xffff0000n] });
      stopped.run();
      await stopped.dispose();
    }
    assert.deepEqual(threadsOf(), []);
    assert.ok(descriptors() <= before + 1, `${descriptors()} descriptors, ${before} before`);
  });

  it("several vCPUs: the others wait for INIT and SIPI", async () => {
    const vm = await romMachine(SPIN, () => undefined, { vcpus: 4 });
    try {
      vm.run();
      await new Promise((resolve) => setTimeout(resolve, 10));
      await vm.pause();
      assert.equal((await vm.vcpus[3]!.getRegisters()).rip, 0xfff0n);
      vm.run();
    } finally {
      await vm.dispose();
    }
  });

  it("has 64 GiB of memory that is sparse", async () => {
    const vm = await KvmVm.create(
      romConfig({
        memory: [
          { at: 0, sizeBytes: 3 * 2 ** 30 },
          { at: 2 ** 32, sizeBytes: 61 * 2 ** 30 },
        ],
      }),
      () => undefined,
    );
    try {
      vm.memory.write(60 * 2 ** 30, Uint8Array.of(1));
      assert.equal(vm.memory.read(60 * 2 ** 30, 1)[0], 1);
    } finally {
      await vm.dispose();
    }
  });

  it("refuses what it cannot do, before anything is made", async () => {
    const rejected = (more: Parameters<typeof romConfig>[0], error: object) =>
      assert.rejects(
        KvmVm.create(romConfig(more), () => undefined),
        error,
      );
    await rejected({ cpuProfile: "i486" }, { code: "VM_UNSUPPORTED" });
    await rejected({ vcpus: 5000 }, { code: "VM_UNSUPPORTED" });
    await rejected({ options: { noOpt: true } }, { code: "VM_UNSUPPORTED" });
    await rejected({ memory: [{ at: 0xfef00000, sizeBytes: MIB }] }, { code: "VM_HOST_FAILURE" });
  });

  it("ends with its worker thread", async () => {
    const worker = new Worker(new URL("./spinning-worker.js", import.meta.url));
    await new Promise((resolve) => worker.once("message", resolve));
    assert.ok(threadsOf().length > 0);
    await worker.terminate();
    assert.deepEqual(threadsOf(), []);
  });

  it("a handler that throws is a crash of this machine alone", async () => {
    const crashes: VmEvents["crashed"][] = [];
    const other = await romMachine(ECHO, () => 1);
    const vm = await romMachine(ECHO, () => {
      throw new Error("a broken device");
    });
    vm.on("crashed", (event) => crashes.push(event));
    try {
      other.run();
      vm.run();
      await until(() => crashes.length > 0, "the crash");
      assert.match(crashes[0]!.reason, /a broken device/);
      await other.pause();
    } finally {
      await vm.dispose();
      await other.dispose();
    }
  });
});

describe("the kvm backend's probe", () => {
  it("says in one sentence whether it works here", async () => {
    const report = await new KvmBackend().probe();
    assert.equal(report.name, "kvm");
    assert.ok(report.reason.length > 10);
    if (!report.available) assert.match(report.reason, /dev\/kvm|KVM/);
  });

  it("says the same while signals arrive, as those of a profiler", async function () {
    await needKvm(this);
    const entry = JSON.stringify(import.meta.resolve("@ringzero/backend-kvm"));
    const code = `const { KvmBackend } = await import(${entry});
      for (let i = 0; i < 150; i++) {
        const { available, reason } = await new KvmBackend().probe();
        if (!available) throw new Error(reason);
      }`;
    const folder = await mkdtemp(join(tmpdir(), "ringzero-probe-"));
    try {
      const profiled = ["--cpu-prof", "--cpu-prof-interval", "200", `--cpu-prof-dir=${folder}`];
      await promisify(execFile)(process.execPath, [...profiled, "--input-type=module", "-e", code]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

// The suite can fail: backends with one thing wrong each, and the cases that must find it. That all of them pass without the defect is the
// suite's own test, in backends/bt.

import assert from "node:assert/strict";
import type { ExitHandler, Uart, Vcpu, Vm, VmExit } from "@ringzero/api";
import { BtBackend } from "@ringzero/backend-bt";
import { backendCases, moveCases, runCases } from "@ringzero/conformance";
import { type Alteration, altered, AlteredBackend } from "./altered-backend.js";
import { partOf } from "./saved-state.js";

const PATIENCE_MS = 1500;

/** Every exit through a function; undefined: it is lost. */
const exits =
  (change: (exit: VmExit) => VmExit | undefined) =>
  (handler: ExitHandler): ExitHandler =>
  (exit) => {
    const changed = change(exit);
    return changed && handler(changed);
  };

/** What is saved, spoiled. */
const spoiled = (tag: string, spoil: (payload: Uint8Array) => void) => (vm: Vm) => ({
  saveState: async () => {
    const state = (await vm.saveState()).slice();
    spoil(partOf(state, tag));
    return state;
  },
});

const uart = (change: (uart: Uart) => Partial<Uart>) => (vm: Vm) => ({ uarts: vm.uarts.map((one) => altered(one, change(one))) });
const vcpus = (change: (vcpu: Vcpu) => Partial<Vcpu>) => (vm: Vm) => ({
  vcpus: vm.vcpus.map((one) => altered(one, change(one))),
});

/** What is wrong, and the cases that see it, each by itself. */
const DEFECTS: readonly (Alteration & { readonly what: string; readonly found: readonly string[] })[] = [
  {
    what: "rounds the width of every port write to a byte",
    exits: exits((exit) => (exit.kind === "port-out" ? { ...exit, size: 1, value: exit.value & 0xff } : exit)),
    found: ["ports/out", "strings/outs", "ports/protected-mode"],
  },
  {
    what: "rounds the width of memory-mapped accesses of 8 bytes to 4",
    exits: exits(
      (exit) => (exit.kind.startsWith("mmio") && "size" in exit && exit.size === 8 ? { ...exit, size: 4 } : exit) as VmExit,
    ),
    found: ["mmio/long-mode"],
  },
  {
    what: "loses writes that begin at a page of devices",
    exits: exits((exit) => (exit.kind === "mmio-write" && exit.at % 4096 === 0 ? undefined : exit)),
    found: [
      "crossing/ram-to-device",
      "crossing/device-to-device",
      "crossing/long-mode",
      "crossing/three-bytes",
      "crossing/strings",
    ],
  },
  {
    what: "answers memory-mapped reads with ones",
    exits: (handler) => (exit) => (exit.kind === "mmio-read" ? void handler(exit) : handler(exit)),
    found: ["mmio/read-modify-write", "mmio/locked", "strings/movs-from-device", "strings/search", "crossing/device-to-rom"],
  },
  {
    what: "takes every exit for one of vCPU 0",
    exits: exits((exit) => ({ ...exit, vcpu: 0 })),
    found: ["vcpus/2", "vcpus/8"],
  },
  {
    what: "says a triple fault twice",
    exits: (handler) => (exit) => {
      if (exit.kind === "shutdown") handler(exit);
      return handler(exit);
    },
    found: ["processor/triple-fault"],
  },
  {
    what: "loses every hundredth change of an interrupt line",
    vm: (vm) => {
      let count = 0;
      const setLine = (gsi: number, asserted: boolean): void => {
        count += 1;
        if (count % 100 !== 0) vm.interrupts.setLine(gsi, asserted);
      };
      return { interrupts: { setLine, msi: (at, data) => vm.interrupts.msi(at, data) } };
    },
    found: ["waking/none-lost"],
  },
  {
    what: "raises interrupt lines for a moment only",
    vm: (vm) => ({
      interrupts: {
        setLine: (gsi, asserted) => {
          vm.interrupts.setLine(gsi, asserted);
          vm.interrupts.setLine(gsi, false);
        },
        msi: (at, data) => vm.interrupts.msi(at, data),
      },
    }),
    found: ["messages/ioapic"],
  },
  {
    what: "loses interrupt messages",
    vm: (vm) => ({ interrupts: { setLine: (gsi, asserted) => vm.interrupts.setLine(gsi, asserted), msi: () => undefined } }),
    found: ["messages/fixed", "messages/nmi", "messages/nmi-halted", "config/arguments"],
  },
  {
    what: "takes every message for a maskable one",
    vm: (vm) => ({
      interrupts: {
        setLine: (gsi, asserted) => vm.interrupts.setLine(gsi, asserted),
        msi: (at, data) => vm.interrupts.msi(at, (data & 0xff) | 0x20),
      },
    }),
    found: ["messages/nmi", "messages/nmi-halted", "messages/nmi-blocked"],
  },
  {
    what: "lets the guest execute what it made of old code",
    vm: (vm) => ({
      memory: altered(vm.memory, {
        write: (at, bytes) => vm.memory.view(at, bytes.length).set(bytes),
        touched: () => undefined,
      }),
    }),
    found: ["remapping/host-code", "remapping/host-code-while-running"],
  },
  {
    what: "copies guest memory for a view",
    vm: (vm) => ({ memory: altered(vm.memory, { view: (at, sizeBytes) => vm.memory.read(at, sizeBytes) }) }),
    found: ["life/memory"],
  },
  {
    what: "resolves a pause that it does not make",
    vm: () => ({ pause: async () => undefined }),
    found: ["life/pause", "life/pause-from-handler"],
  },
  {
    what: "loses every tenth run",
    vm: (vm) => {
      let count = 0;
      return {
        run: () => {
          count += 1;
          if (count % 10 !== 0) vm.run();
        },
      };
    },
    found: ["life/pause"],
  },
  {
    what: "stays open for a while once it is disposed of",
    vm: (vm) => ({ dispose: async () => void setTimeout(() => void vm.dispose(), 1000) }),
    found: ["life/dispose"],
  },
  { what: "leaves registers alone in a reset", vm: () => ({ reset: async () => undefined }), found: ["life/reset"] },
  {
    what: "reads registers of a VM that runs",
    vm: (vm) => vcpus((vcpu) => ({ getRegisters: () => vm.pause().then(() => vcpu.getRegisters()) }))(vm),
    found: ["life/busy"],
  },
  {
    what: "sets registers that were not named to 0",
    vm: vcpus((vcpu) => ({ setRegisters: (registers) => vcpu.setRegisters({ cr2: 0n, rflags: 0x46n, ...registers }) })),
    found: ["life/registers"],
  },
  {
    what: "loses a byte of output",
    vm: uart((one) => ({ read: (into) => Math.max(0, one.read(into) - 1) })),
    found: ["uarts/output"],
  },
  {
    what: "says that it took all input, and took one byte less",
    vm: uart((one) => ({ write: (bytes) => (one.write(bytes.subarray(1)) >= 0 ? bytes.length : 0) })),
    found: ["uarts/input", "uarts/interrupt"],
  },
  { what: "gives no input back", vm: uart(() => ({ reclaim: () => new Uint8Array(0) })), found: ["uarts/reclaim"] },
  {
    what: "has fewer UARTs than it was asked for",
    config: (config) => ({ ...config, uarts: config.uarts.slice(0, 0) }),
    found: ["uarts/registers", "uarts/config"],
  },
  {
    what: "has fewer vCPUs than it claims",
    config: (config) => ({ ...config, vcpus: Math.min(config.vcpus, 4) }),
    found: ["vcpus/8", "config/vcpus"],
  },
  {
    what: "takes any CPU profile for one",
    config: (config) => ({ ...config, cpuProfile: "x86-64-v2" }),
    found: ["config/names"],
  },
  {
    what: "does what it does not claim",
    capabilities: { doorbells: false, msi: false, saveState: false, memorySharing: false, dirtyLog: false, debug: false },
    found: ["config/unclaimed"],
  },
  {
    what: "claims a log of written pages that stays empty",
    vm: () => ({ trackDirty: async () => undefined, takeDirty: async () => [] }),
    found: ["dirty/complete", "dirty/running"],
  },
  {
    what: "sets memory back when it begins to note what is written",
    vm: (vm) => ({
      trackDirty: async (on) => {
        await vm.trackDirty(on);
        vm.memory.write(0x20010, new Uint8Array(4)); // of the guest's counters, one
      },
    }),
    found: ["remapping/tracked"],
  },
  {
    what: "claims debug exits that never come",
    vm: vcpus(() => ({ debug: async () => undefined })),
    found: ["debug/single-step", "debug/breakpoint", "debug/breakpoint-in-a-loop"],
  },
  {
    what: "rings a doorbell for any value",
    vm: (vm) => ({ doorbell: ({ value: _, ...match }, ring) => vm.doorbell(match, ring) }),
    found: ["doorbells/value"],
  },
  {
    what: "never takes a doorbell away",
    vm: (vm) => ({ doorbell: (match, ring) => altered(vm.doorbell(match, ring), { dispose: () => undefined }) }),
    found: ["doorbells/disposed", "doorbells/while-running"],
  },
  {
    what: "saves no x87 and SSE registers",
    vm: spoiled("XSAV", (payload) => payload.fill(0, 32, 416)),
    found: ["state/go-on", "state/identity"],
  },
  {
    what: "takes a state of a newer version for its own",
    vm: (vm) => ({
      loadState: async (state) => {
        const older = state.slice();
        if (older.length > 8) new DataView(older.buffer).setUint32(4, 1, true);
        await vm.loadState(older);
      },
    }),
    found: ["state/refused"],
  },
];

/** The same for moves, whose target or source it is. */
const MOVE_DEFECTS: readonly (Alteration & { readonly what: string; readonly found: readonly string[] })[] = [
  {
    what: "executes an instruction too much",
    vm: spoiled("REGS", (registers) => void (registers[24]! += 1)),
    found: ["move/long-mode"],
  },
  { what: "loses the upper halves of YMM registers", vm: spoiled("XSAV", (image) => image.fill(0, 576)), found: ["move/avx"] },
  { what: "loses SSE registers", vm: spoiled("XSAV", (image) => image.fill(0, 160, 416)), found: ["move/sse", "move/avx"] },
  { what: "loses MSRs", vm: spoiled("MSRS", (msrs) => loseMsr(msrs, 0x175)), found: ["move/registers"] },
  { what: "sets the time back", vm: spoiled("MSRS", (msrs) => loseMsr(msrs, 0x10)), found: ["move/time"] },
  { what: "wakes a vCPU that halts", vm: spoiled("VCPU", (state) => state.fill(0, 119, 120)), found: ["move/halted"] },
  { what: "forgets that NMIs are blocked", vm: spoiled("VCPU", (state) => state.fill(0, 120, 121)), found: ["move/nmi-blocked"] },
  {
    what: "forgets what the 8259A has in service",
    vm: spoiled("IRQC", (chips) => chips.fill(0, 19, 20)),
    found: ["move/in-service"],
  },
  { what: "stops the 8254", vm: spoiled("IRQC", (chips) => chips.fill(0xff, 264 + 16, 264 + 24)), found: ["move/timers"] },
  { what: "forgets what a serial port received", vm: spoiled("UART", (port) => port.fill(0, 14, 15)), found: ["move/uart"] },
];

function loseMsr(msrs: Uint8Array, wanted: number): void {
  const view = new DataView(msrs.buffer, msrs.byteOffset, msrs.byteLength);
  for (let at = 0; at < msrs.length; at += 16) if (view.getUint32(at, true) === wanted) view.setBigUint64(at + 8, 0n, true);
}

describe("the conformance suite finds a backend that", function () {
  this.timeout(60_000);
  for (const { what, found, ...alteration } of DEFECTS) {
    it(what, async () => {
      const cases = backendCases(() => new AlteredBackend(new BtBackend(), alteration), { patienceMs: PATIENCE_MS });
      await assertFound(cases, found);
    });
  }
  for (const { what, found, ...alteration } of MOVE_DEFECTS) {
    it(`${what} in a move`, async () => {
      const broken = () => new AlteredBackend(new BtBackend(), alteration);
      await assertFound(
        moveCases(broken, () => new BtBackend(), { patienceMs: PATIENCE_MS }),
        found,
      );
    });
  }
});

async function assertFound(all: ReturnType<typeof backendCases>, found: readonly string[]): Promise<void> {
  for (const id of found) {
    const one = all.find((each) => each.id === id);
    assert.ok(one, `there is no case ${id}`);
    const [result] = await runCases([one]);
    assert.equal(result?.outcome.kind, "failed", `${id} did not see it`);
  }
}

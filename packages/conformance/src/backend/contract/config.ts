// What a backend says of itself, and what it refuses before anything starts.

import assert from "node:assert/strict";
import { RingzeroError, type VmConfig } from "@ringzero/api";
import type { ContractCase } from "../contract-case.js";
import { program } from "../program.js";
import type { Stage } from "../stage.js";

const UNSUPPORTED = { code: "VM_UNSUPPORTED" };
const MIB = 2 ** 20;
const IDLE = program(16, "jmp .");

/** A configuration is refused; one that is not is disposed of, so that a failure leaves nothing behind. */
async function refuses(
  stage: Stage,
  more: Partial<VmConfig>,
  how: typeof RangeError | typeof UNSUPPORTED | ((error: unknown) => boolean),
  what: string,
): Promise<void> {
  const attempt = async (): Promise<void> => {
    const vm = await stage.backend.createVm(stage.config(more), () => undefined);
    await vm.dispose();
  };
  await assert.rejects(attempt, how, what);
}

export const CONFIG_CASES: readonly ContractCase[] = [
  {
    id: "config/probe",
    title: "describes itself: a name, a reason, capabilities that make a machine, the same twice",
    async run({ backend, report }) {
      const { capabilities } = report;
      assert.equal(report.name, backend.name);
      assert.ok(report.reason.length > 0, "a reason for a person to read");
      assert.ok(Number.isInteger(capabilities.maxVcpus) && capabilities.maxVcpus >= 1, "maxVcpus");
      assert.ok(capabilities.maxMemoryBytes >= MIB, "maxMemoryBytes");
      assert.ok(capabilities.cpuProfiles.length > 0, "cpuProfiles");
      const again = await backend.probe();
      assert.deepEqual(again.capabilities, capabilities);
    },
  },
  {
    id: "config/vcpus",
    title: "refuses no vCPU as a caller's mistake, and more than it claims with VM_UNSUPPORTED",
    async run(stage) {
      await refuses(stage, { vcpus: 0 }, RangeError, "0 vCPUs");
      await refuses(stage, { vcpus: 1.5 }, RangeError, "1.5 vCPUs");
      await refuses(stage, { vcpus: stage.report.capabilities.maxVcpus + 1 }, UNSUPPORTED, "one vCPU too many");
    },
  },
  {
    id: "config/memory",
    title: "refuses memory that is empty, not whole pages, overlapping, or more than it claims",
    async run(stage) {
      await refuses(stage, { memory: [] }, RangeError, "no memory");
      await refuses(stage, { memory: [{ at: 0, sizeBytes: 4097 }] }, RangeError, "part of a page");
      await refuses(stage, { memory: [{ at: 100, sizeBytes: 4096 }] }, RangeError, "a misaligned range");
      const overlapping = [
        { at: 0, sizeBytes: 0x2000 },
        { at: 0x1000, sizeBytes: 0x1000 },
      ];
      await refuses(stage, { memory: overlapping }, RangeError, "overlapping ranges");
      const tooMuch = [{ at: 0, sizeBytes: stage.report.capabilities.maxMemoryBytes + 4096 }];
      await refuses(stage, { memory: tooMuch }, UNSUPPORTED, "memory over the limit");
    },
  },
  {
    id: "config/names",
    title: "refuses CPU profiles and engine options that it does not know",
    async run(stage) {
      await refuses(stage, { cpuProfile: "z80" }, UNSUPPORTED, "a profile that does not exist");
      await refuses(stage, { options: { "no-such-option": 1 } }, UNSUPPORTED, "an option that does not exist");
    },
  },
  {
    id: "config/refused-profiles",
    title: "refuses a CPU profile that this host cannot give, and names what is missing",
    async run(stage) {
      const { refusedProfiles = {}, capabilities } = stage.report;
      for (const [cpuProfile, why] of Object.entries(refusedProfiles)) {
        assert.ok(!capabilities.cpuProfiles.includes(cpuProfile), `${cpuProfile} is both claimed and refused`);
        assert.ok(why.length > 0, `why ${cpuProfile} is refused`);
        const named = (error: unknown): boolean =>
          error instanceof RingzeroError && error.code === "VM_UNSUPPORTED" && error.message.includes(why);
        await refuses(stage, { cpuProfile }, named, cpuProfile);
      }
    },
  },
  {
    id: "config/profiles",
    title: "makes a machine with each CPU profile that it claims",
    async run(stage) {
      for (const cpuProfile of stage.report.capabilities.cpuProfiles) await stage.open({ cpuProfile });
    },
  },
  {
    id: "config/unclaimed",
    title: "refuses what it does not claim, with VM_UNSUPPORTED, and goes on",
    async run(stage) {
      const { vm } = await stage.load(IDLE);
      const { capabilities } = stage.report;
      if (!capabilities.saveState) {
        await assert.rejects(async () => vm.saveState(), UNSUPPORTED, "saveState");
        await assert.rejects(async () => vm.loadState(new Uint8Array(64)), UNSUPPORTED, "loadState");
      }
      if (!capabilities.dirtyLog) {
        await assert.rejects(async () => vm.trackDirty(true), UNSUPPORTED, "trackDirty");
        await assert.rejects(async () => vm.takeDirty(), UNSUPPORTED, "takeDirty");
      }
      if (!capabilities.debug) await assert.rejects(async () => vm.vcpus[0]!.debug({ singleStep: true }), UNSUPPORTED, "debug");
      if (!capabilities.doorbells)
        assert.throws(() => vm.doorbell({ port: 1, size: 1 }, () => undefined), UNSUPPORTED, "doorbell");
      if (!capabilities.msi) assert.throws(() => vm.interrupts.msi(0xfee00000, 0x31), UNSUPPORTED, "msi");
      if (!capabilities.memorySharing) assert.throws(() => vm.shareMemory(), UNSUPPORTED, "shareMemory");
      vm.run();
      await vm.pause();
    },
  },
  {
    id: "config/arguments",
    title: "refuses interrupt lines and messages that do not exist as a caller's mistake",
    uses: ["interrupts"],
    async run(stage) {
      const { vm } = await stage.open();
      assert.throws(() => vm.interrupts.setLine(24, true), RangeError);
      assert.throws(() => vm.interrupts.setLine(-1, true), RangeError);
      if (stage.report.capabilities.msi) assert.throws(() => vm.interrupts.msi(0xfed00000, 0x31), RangeError);
    },
  },
];

// Doorbells: writes that ring and do not stop the vCPU, matched by place, width and value.

import assert from "node:assert/strict";
import type { ContractCase } from "../contract-case.js";
import { program } from "../program.js";
import { HOLE_AT } from "../start-state.js";

const PORT = 0x600;
/** Writes words 7 and 8 and a byte 7 to the port, then a word to the device and a word beside it. */
const RINGING = program(
  16,
  `
      mov dx, 0x600
      mov ax, 7
      out dx, ax
      mov ax, 8
      out dx, ax
      mov al, 7
      out dx, al
      mov ax, 0xa000
      mov ds, ax
      mov word ptr [0x50], 1
      mov word ptr [0x52], 2
      done`,
);
const WRITING = program(16, "again: mov al, 1\n out 0x80, al\n jmp again");
const ALL = [
  { kind: "port-out", vcpu: 0, port: PORT, size: 2, value: 7 },
  { kind: "port-out", vcpu: 0, port: PORT, size: 2, value: 8 },
  { kind: "port-out", vcpu: 0, port: PORT, size: 1, value: 7 },
  { kind: "mmio-write", vcpu: 0, at: HOLE_AT + 0x50, size: 2, value: 1n },
  { kind: "mmio-write", vcpu: 0, at: HOLE_AT + 0x52, size: 2, value: 2n },
];

export const DOORBELL_CASES: readonly ContractCase[] = [
  {
    id: "doorbells/value",
    title: "rings a doorbell at a port for its width and value alone; everything else stays an exit",
    uses: ["guest-code"],
    needs: ["doorbells"],
    async run(stage) {
      let rings = 0;
      const actor = await stage.load(RINGING);
      actor.vm.doorbell({ port: PORT, size: 2, value: 7 }, () => ++rings);
      actor.vm.run();
      await stage.finish(actor);
      assert.deepEqual(actor.exits, ALL.slice(1));
      await stage.until(() => rings > 0, "the doorbell rang", actor);
      assert.equal(rings, 1);
    },
  },
  {
    id: "doorbells/memory",
    title: "rings a doorbell at an address for any value, and reports the write beside it",
    uses: ["guest-code"],
    needs: ["doorbells"],
    async run(stage) {
      let rings = 0;
      const actor = await stage.load(RINGING);
      actor.vm.doorbell({ at: HOLE_AT + 0x50, size: 2 }, () => ++rings);
      actor.vm.run();
      await stage.finish(actor);
      assert.deepEqual(actor.exits, [...ALL.slice(0, 3), ALL[4]]);
      await stage.until(() => rings === 1, "the doorbell rang", actor);
    },
  },
  {
    id: "doorbells/disposed",
    title: "lets writes through again once a doorbell is disposed of, twice at that",
    uses: ["guest-code"],
    needs: ["doorbells"],
    async run(stage) {
      let rings = 0;
      const actor = await stage.load(RINGING);
      const bell = actor.vm.doorbell({ port: PORT, size: 2 }, () => ++rings);
      bell.dispose();
      bell.dispose();
      actor.vm.run();
      await stage.finish(actor);
      assert.deepEqual(actor.exits, ALL);
      assert.equal(rings, 0);
    },
  },
  {
    id: "doorbells/while-running",
    title: "adds and disposes of doorbells while the guest runs",
    uses: ["guest-code"],
    needs: ["doorbells"],
    async run(stage) {
      let rings = 0;
      const actor = await stage.load(WRITING);
      actor.vm.run();
      await stage.until(() => actor.exits.length > 3, "exits came", actor);
      const bell = actor.vm.doorbell({ port: 0x80, size: 1 }, () => ++rings);
      await stage.until(() => rings > 3, "the doorbell rang", actor);
      bell.dispose();
      const before = actor.exits.length;
      await stage.until(() => actor.exits.length > before + 3, "exits came again", actor);
    },
  },
  {
    id: "doorbells/impossible",
    title: "refuses a doorbell that nothing could ring, as a caller's mistake",
    needs: ["doorbells"],
    uses: ["guest-code"],
    async run(stage) {
      const { vm } = await stage.open();
      assert.throws(() => vm.doorbell({ port: 0x10000, size: 2 }, () => undefined), RangeError);
      assert.throws(() => vm.doorbell({ at: HOLE_AT, size: 3 as 4 }, () => undefined), RangeError);
    },
  },
];

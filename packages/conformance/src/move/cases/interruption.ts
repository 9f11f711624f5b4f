// What is under way between a vCPU and its interrupts when a machine moves: halted, pending, in service, blocked.

import assert from "node:assert/strict";
import { PIC_SETUP } from "../../backend/cases/interrupts.js";
import { NMI_SETUP, picSetup } from "../../backend/guest-setup.js";
import { program } from "../../backend/program.js";
import type { Actor } from "../../backend/stage.js";
import { BIG_ES } from "../../backend/start-state.js";
import { sleep } from "../../waiting.js";
import type { MoveCase } from "../move-case.js";

const FLAG_AT = 0x4001;

/** Rests, and says 1 at port 83h when it went on behind HLT without an interrupt. */
const RESTING = program(
  16,
  `${PIC_SETUP}
      mov al, 1
      out 0x80, al
      xor bl, bl
rest: sti
      hlt
      cmp bl, [0x4000]
      jne woken
      out 0x83, al
woken: mov bl, [0x4000]
      jmp rest`,
);
const HOLDING = program(
  16,
  `${PIC_SETUP}
      mov al, 1
      out 0x80, al            # the host pulses line 5
wait: in al, 0x20
      test al, 0x20
      jz wait
      mov al, 2
      out 0x80, al            # pending: the host moves the machine
spin: cmp byte ptr [0x4001], 1
      jne spin
      mov al, 3
      out 0x80, al
      sti
seen: cmp byte ptr [0x4000], 0
      je seen
      done`,
);
/** In service from the exit at 81h until the flag is set; the next interrupt is held back by the 8259A until then. */
const SERVING = program(
  16,
  `
      cli${picSetup(0xdf)}
      mov word ptr [0x25 * 4], offset handler
      mov word ptr [0x25 * 4 + 2], 0
      mov al, 1
      out 0x80, al
      sti
seen: cmp byte ptr [0x4000], 2
      jne seen
      done
handler:
      push ax
      inc byte ptr [0x4000]
      mov al, [0x4000]
      out 0x81, al
      sti                     # only the 8259A holds the next one back
spin: cmp byte ptr [0x4001], 1
      jne spin
      mov al, [0x4000]
      out 0x82, al
      cli
      mov al, 0x20
      out 0x20, al
      pop ax
      iret`,
);
const BLOCKING = program(
  16,
  `
      cli${NMI_SETUP}
      mov al, 1
      out 0x80, al
wait: cmp byte ptr [0x4000], 2
      jne wait
      done
handler:
      push ax
      inc byte ptr [0x4000]
      mov al, [0x4000]
      out 0x81, al
spin: cmp byte ptr [0x4001], 1
      jne spin
      mov al, [0x4000]
      out 0x82, al
      pop ax
      iret`,
);
const NMI = { at: 0xfee00000, data: 0x400 };
const LONG_ENOUGH_MS = 20; // for an interrupt that is delivered although it must not be

function outs({ exits }: Actor): (readonly [number, number])[] {
  return exits.map((exit) => (exit.kind === "port-out" ? [exit.port, exit.value] : [0, 0]));
}

export const INTERRUPTION_CASES: readonly MoveCase[] = [
  {
    id: "move/halted",
    title: "a vCPU that halts moves asleep, and wakes by an interrupt there",
    uses: ["guest-code", "interrupts"],
    async run(stage) {
      const actor = await stage.load(RESTING);
      actor.vm.run();
      await stage.from.until(() => actor.exits.length > 0, "the guest was ready", actor);
      await sleep(LONG_ENOUGH_MS); // so that it halts; if it does not yet, the case is only weaker
      await actor.vm.pause();
      const there: Actor = await stage.move(actor, stage.to, {}, () => there.vm.interrupts.setLine(5, false));
      there.vm.run();
      await sleep(LONG_ENOUGH_MS);
      assert.deepEqual(outs(there), [], "it slept on");
      there.vm.interrupts.setLine(5, true);
      await stage.to.until(() => there.exits.length > 0, "the guest woke", there);
      await there.vm.pause();
      assert.deepEqual(outs(there), [[0x81, 0x55]]);
    },
  },
  {
    id: "move/pending",
    title: "an interrupt that is pending while IF is clear is delivered there, once",
    uses: ["guest-code", "interrupts"],
    async run(stage) {
      const actor: Actor = await stage.load(HOLDING, {}, (exit) => {
        if (exit.kind !== "port-out" || exit.value !== 1) return;
        actor.vm.interrupts.setLine(5, true);
      });
      actor.vm.run();
      await stage.from.until(() => actor.exits.length >= 2, "the interrupt was pending", actor);
      await actor.vm.pause();
      const there: Actor = await stage.move(actor, stage.to, {}, (exit) => {
        if (exit.kind === "port-out" && exit.port === 0x81) there.vm.interrupts.setLine(5, false);
      });
      there.vm.interrupts.setLine(5, true); // who holds a line says so to the machine's next VM
      there.vm.memory.write(FLAG_AT, Uint8Array.of(1));
      there.vm.run();
      await stage.to.finish(there);
      assert.deepEqual(outs(there), [
        [0x80, 3],
        [0x81, 0x55],
      ]);
    },
  },
  {
    id: "move/in-service",
    title: "an interrupt that is in service there too holds the next one back until it ends",
    uses: ["guest-code", "interrupts"],
    async run(stage) {
      const actor: Actor = await stage.load(SERVING, {}, ({ kind, ...exit }) => {
        if (kind === "port-out") actor.vm.interrupts.setLine(5, "port" in exit && exit.port === 0x80);
      });
      actor.vm.run();
      await stage.from.until(() => actor.exits.length >= 2, "the interrupt was in service", actor);
      await actor.vm.pause();
      const there = await stage.move(actor, stage.to);
      there.vm.interrupts.setLine(5, true);
      there.vm.interrupts.setLine(5, false);
      there.vm.interrupts.setLine(5, true);
      there.vm.run();
      await sleep(LONG_ENOUGH_MS);
      there.vm.memory.write(FLAG_AT, Uint8Array.of(1));
      await stage.to.finish(there);
      assert.deepEqual(outs(there), [
        [0x82, 1],
        [0x81, 2],
        [0x82, 2],
      ]);
    },
  },
  {
    id: "move/nmi-blocked",
    title: "a non-maskable interrupt that comes in the handler of another waits there for its return",
    uses: ["guest-code", "interrupts", "apic"],
    needs: ["msi"],
    async run(stage) {
      const actor: Actor = await stage.load(BLOCKING, {}, (exit) => {
        if (exit.kind === "port-out" && exit.port === 0x80) actor.vm.interrupts.msi(NMI.at, NMI.data);
      });
      await actor.vm.vcpus[0]!.setRegisters(BIG_ES);
      actor.vm.run();
      await stage.from.until(() => actor.exits.length >= 2, "the handler ran", actor);
      await actor.vm.pause();
      const there = await stage.move(actor, stage.to);
      there.vm.interrupts.msi(NMI.at, NMI.data);
      there.vm.run();
      await sleep(LONG_ENOUGH_MS);
      there.vm.memory.write(FLAG_AT, Uint8Array.of(1));
      await stage.to.finish(there);
      assert.deepEqual(outs(there), [
        [0x82, 1],
        [0x81, 2],
        [0x82, 2],
      ]);
    },
  },
];

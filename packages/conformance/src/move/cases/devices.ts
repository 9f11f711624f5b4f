// Timers and serial ports of the engine: they go on where they were.

import assert from "node:assert/strict";
import { picSetup } from "../../backend/guest-setup.js";
import { program } from "../../backend/program.js";
import type { Actor } from "../../backend/stage.js";
import { BIG_ES } from "../../backend/start-state.js";
import type { MoveCase } from "../move-case.js";

/**
 * Ticks by the 8254 at line 0 and by the local APIC's timer, periodic both, counted at 4010h and 4012h. Handlers that leave the guest would not be
 * through before the next tick where an exit takes milliseconds, and the 8259A's interrupts come first.
 */
const TICKING = program(
  16,
  `
      cli${picSetup(0xfe)}
      mov word ptr [0x20 * 4], offset first
      mov word ptr [0x20 * 4 + 2], 0
      mov word ptr [0x40 * 4], offset second
      mov word ptr [0x40 * 4 + 2], 0
      mov edi, 0xfee00000
      mov dword ptr es:[edi + 0xf0], 0x1ff
      mov dword ptr es:[edi + 0x350], 0x700       # LINT0: the 8259A
      mov dword ptr es:[edi + 0x320], 0x20040     # periodic, vector 40h
      mov dword ptr es:[edi + 0x3e0], 0x0b
      mov dword ptr es:[edi + 0x380], 20000000
      mov al, 0x34
      out 0x43, al
      mov al, 0x38                                # 23864: 20 ms
      out 0x40, al
      mov al, 0x5d
      out 0x40, al
rest: sti
      hlt
      jmp rest
first: push ax
      inc word ptr [0x4010]
      mov al, 0x20
      out 0x20, al
      pop ax
      iret
second: inc word ptr [0x4012]
      mov dword ptr es:[edi + 0xb0], 0
      iret`,
);
/** Sets the scratch register and the divisor, waits for the flag, says both, and then every byte that it receives. */
const RECEIVING = program(
  16,
  `
      mov dx, 0x3fb
      mov al, 0x83
      out dx, al
      mov dx, 0x3f8
      mov al, 12
      out dx, al
      mov dx, 0x3fb
      mov al, 0x03
      out dx, al
      mov dx, 0x3fa
      mov al, 0x01            # FIFOs
      out dx, al
      mov dx, 0x3ff
      mov al, 0xa5
      out dx, al
      mov al, 1
      out 0x80, al
spin: cmp byte ptr [0x4001], 1
      jne spin
      mov dx, 0x3ff
      in al, dx
      out 0x81, al
      mov dx, 0x3fb
      mov al, 0x83
      out dx, al
      mov dx, 0x3f8
      in al, dx
      out 0x81, al
      mov dx, 0x3fb
      mov al, 0x03
      out dx, al
next: mov dx, 0x3fd
wait: in al, dx
      test al, 1
      jz wait
      mov dx, 0x3f8
      in al, dx
      out 0x82, al
      jmp next`,
);
const COM1 = { uarts: [{ port: 0x3f8, irq: 4 }] };
const INPUT_BYTES = 100;

function said({ exits }: Actor, port: number): number[] {
  return exits.flatMap((exit) => (exit.kind === "port-out" && exit.port === port ? [exit.value] : []));
}

export const DEVICE_CASES: readonly MoveCase[] = [
  {
    id: "move/timers",
    title: "the 8254 and the timer of the local APIC tick on, after each of several moves",
    uses: ["guest-code", "interrupts", "apic", "timers"],
    async run(stage) {
      let actor = await stage.load(TICKING);
      await actor.vm.vcpus[0]!.setRegisters(BIG_ES);
      for (let round = 0; round < 6; round += 1) {
        const now = actor;
        const ticks = (at: number): number => new DataView(now.vm.memory.read(at, 2).slice().buffer).getUint16(0, true);
        const before = [ticks(0x4010), ticks(0x4012)] as const;
        now.vm.run();
        await stage.from.until(() => ticks(0x4010) >= before[0] + 2, "the 8254 ticked", now);
        await stage.from.until(() => ticks(0x4012) >= before[1] + 2, "the local APIC's timer ticked", now);
        await now.vm.pause();
        actor = await stage.move(now, round % 2 === 0 ? stage.to : stage.from);
      }
    },
  },
  {
    id: "move/uart",
    title: "a serial port keeps its registers and what it has received, and takes the rest of the input there",
    uses: ["guest-code", "uart"],
    async run(stage) {
      const actor = await stage.load(RECEIVING, COM1);
      const bytes = Uint8Array.from({ length: INPUT_BYTES }, (_, i) => (i * 3) % 256);
      actor.vm.run();
      await stage.from.until(() => actor.exits.length > 0, "the guest had set the port up", actor);
      assert.equal(actor.vm.uarts[0]!.write(bytes), INPUT_BYTES);
      await actor.vm.pause();
      const rest = actor.vm.uarts[0]!.reclaim();
      const there = await stage.move(actor, stage.to, COM1);
      assert.equal(there.vm.uarts[0]!.write(rest), rest.length);
      there.vm.memory.write(0x4001, Uint8Array.of(1));
      there.vm.run();
      await stage.to.until(() => said(there, 0x82).length >= INPUT_BYTES, "the guest read all input", there);
      assert.deepEqual(said(there, 0x81), [0xa5, 12], "scratch register and divisor");
      assert.deepEqual(said(there, 0x82), [...bytes]);
    },
  },
];

// Interrupts through the 8259A in real mode, as firmware sets it up: the window that STI opens, HLT, lines held and dropped.

import type { GuestCase } from "../guest-case.js";
import { picSetup } from "../guest-setup.js";
import { program } from "../program.js";
import { DATA_AT } from "../start-state.js";

/** 8259A master: vectors from 20h, all inputs masked but line 5, whose handler writes its port 81h, ends the interrupt and returns. */
export const PIC_SETUP = `
      cli${picSetup(0xdf)}
      mov word ptr [0x25 * 4], offset handler
      mov word ptr [0x25 * 4 + 2], 0
      jmp begin
handler:
      push ax
      mov [0x4002], bx
      mov al, 0x55
      out 0x81, al
      mov al, 0x20
      out 0x20, al
      inc byte ptr [0x4000]
      pop ax
      iret
begin:`;

export const INTERRUPT_CASES: readonly GuestCase[] = [
  {
    id: "interrupts/window",
    title: "holds an interrupt back while IF is clear and in the shadow of STI, and delivers it then",
    uses: ["interrupts", "interrupt-shadow"],
    program: program(
      16,
      `${PIC_SETUP}
      mov al, 1
      out 0x80, al            # the host raises line 5
wait: in al, 0x20             # IRR of the 8259A
      test al, 0x20
      jz wait
      mov al, 2
      out 0x80, al            # nothing was delivered
      xor bx, bx
      sti
      inc bx                  # in the shadow of STI
seen: cmp byte ptr [0x4000], 0
      je seen
      mov al, 3
      out 0x80, al
      done`,
    ),
    exits: [
      { kind: "port-out", port: 0x80, size: 1, value: 1, line: { gsi: 5, asserted: true } },
      { kind: "port-out", port: 0x80, size: 1, value: 2 },
      { kind: "port-out", port: 0x81, size: 1, value: 0x55, line: { gsi: 5, asserted: false } },
      { kind: "port-out", port: 0x80, size: 1, value: 3 },
    ],
    final: { registers: { bx: 1n, sp: 0x7000n }, memory: [{ at: DATA_AT, bytes: [1, 0, 1, 0] }] },
  },
  {
    id: "interrupts/halted",
    title: "wakes a halted vCPU, which goes on behind HLT once the handler returns",
    uses: ["interrupts"],
    program: program(
      16,
      `${PIC_SETUP}
      mov al, 1
      out 0x80, al
      sti
      hlt
      mov al, 2
      out 0x80, al
      done`,
    ),
    exits: [
      { kind: "port-out", port: 0x80, size: 1, value: 1, line: { gsi: 5, asserted: true } },
      { kind: "port-out", port: 0x81, size: 1, value: 0x55, line: { gsi: 5, asserted: false } },
      { kind: "port-out", port: 0x80, size: 1, value: 2 },
    ],
  },
];

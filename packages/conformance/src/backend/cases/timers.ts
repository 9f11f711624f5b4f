// Timers of the machine: they interrupt, and wake a vCPU that halts. How exact they are is no matter of conformance.

import type { GuestCase } from "../guest-case.js";
import { picSetup } from "../guest-setup.js";
import { program } from "../program.js";
import { BIG_ES, DATA_AT } from "../start-state.js";

export const TIMER_CASES: readonly GuestCase[] = [
  {
    id: "timers/pit",
    title: "interrupts a halted vCPU by the 8254 again and again, at line 0",
    uses: ["interrupts", "timers"],
    program: program(
      16,
      `
      cli${picSetup(0xfe)}
      mov word ptr [0x20 * 4], offset handler
      mov word ptr [0x20 * 4 + 2], 0
      mov al, 0x34            # channel 0, both bytes, rate generator
      out 0x43, al
      mov al, 0xa9            # 1193: a millisecond
      out 0x40, al
      mov al, 0x04
      out 0x40, al
again: sti
      hlt
      cli                     # no interrupt between the look and HLT
      cmp byte ptr [0x4000], 10
      jb again
      done
handler:
      push ax
      inc byte ptr [0x4000]
      cmp byte ptr [0x4000], 10
      jb more
      mov al, 0xff            # ten are enough
      out 0x21, al
more: mov al, 0x20
      out 0x20, al
      pop ax
      iret`,
    ),
    exits: [],
    final: { memory: [{ at: DATA_AT, bytes: [10] }] },
  },
  {
    id: "timers/local-apic",
    title: "interrupts a halted vCPU by the timer of its local APIC, once for each count that is set",
    uses: ["interrupts", "apic", "timers"],
    registers: BIG_ES,
    program: program(
      16,
      `
      mov word ptr [0x40 * 4], offset handler
      mov word ptr [0x40 * 4 + 2], 0
      mov edi, 0xfee00000
      mov dword ptr es:[edi + 0xf0], 0x1ff
      mov dword ptr es:[edi + 0x320], 0x40    # one-shot, vector 40h
      mov dword ptr es:[edi + 0x3e0], 0x0b    # divide by 1
      mov cx, 3
next: mov byte ptr [0x4001], 0
      mov dword ptr es:[edi + 0x380], 300000
again: sti
      hlt
      cli                     # no interrupt between the look and HLT
      cmp byte ptr [0x4001], 0
      je again
      loop next
      done
handler:
      inc byte ptr [0x4000]
      mov byte ptr [0x4001], 1
      mov dword ptr es:[edi + 0xb0], 0
      iret`,
    ),
    exits: [],
    final: { memory: [{ at: DATA_AT, bytes: [3, 1] }] },
  },
];

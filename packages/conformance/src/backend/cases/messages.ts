// Interrupts that do not come by the 8259A: messages of the host, the IOAPIC, non-maskable ones, and what one vCPU sends to another.
// In real mode with a large ES, so that engines without protected mode in ring 0 can run them too.

import type { GuestCase } from "../guest-case.js";
import { NMI_SETUP } from "../guest-setup.js";
import { program } from "../program.js";
import { BIG_ES, DATA_AT } from "../start-state.js";

const MESSAGE_AT = 0xfee00000; // to the local APIC with ID 0
const NMI_MESSAGE = { at: MESSAGE_AT, data: 0x400 };

export const MESSAGE_CASES: readonly GuestCase[] = [
  {
    id: "messages/fixed",
    title: "keeps a message pending in the local APIC while IF is clear, and delivers it by its vector then",
    uses: ["interrupts", "apic"],
    needs: ["msi"],
    registers: BIG_ES,
    program: program(
      16,
      `
      mov word ptr [0x31 * 4], offset handler
      mov word ptr [0x31 * 4 + 2], 0
      mov edi, 0xfee00000
      mov dword ptr es:[edi + 0xf0], 0x1ff
      mov al, 1
      out 0x80, al            # the host sends the message
wait: mov eax, es:[edi + 0x210]               # IRR of vectors 20h to 3Fh
      test eax, 0x20000
      jz wait
      mov al, 2
      out 0x80, al            # nothing was delivered
      sti
seen: cmp byte ptr [0x4000], 0
      je seen
      mov al, 3
      out 0x80, al
      done
handler:
      push ax
      inc byte ptr [0x4000]
      mov al, 0x55
      out 0x81, al
      mov dword ptr es:[edi + 0xb0], 0
      pop ax
      iret`,
    ),
    exits: [
      { kind: "port-out", port: 0x80, size: 1, value: 1, message: { at: MESSAGE_AT, data: 0x31 } },
      { kind: "port-out", port: 0x80, size: 1, value: 2 },
      { kind: "port-out", port: 0x81, size: 1, value: 0x55 },
      { kind: "port-out", port: 0x80, size: 1, value: 3 },
    ],
    final: { memory: [{ at: DATA_AT, bytes: [1] }] },
  },
  {
    id: "messages/nmi",
    title: "delivers a non-maskable interrupt that comes as a message while IF is clear",
    uses: ["interrupts", "apic"],
    needs: ["msi"],
    registers: BIG_ES,
    program: program(
      16,
      `
      cli${NMI_SETUP}
      mov al, 1
      out 0x80, al
wait: cmp byte ptr [0x4000], 0
      je wait
      done
handler:
      inc byte ptr [0x4000]
      iret`,
    ),
    exits: [{ kind: "port-out", port: 0x80, size: 1, value: 1, message: NMI_MESSAGE }],
    final: { registers: { sp: 0x7000n }, memory: [{ at: DATA_AT, bytes: [1] }] },
  },
  {
    id: "messages/nmi-halted",
    title: "wakes a vCPU by a non-maskable interrupt that halts with IF clear",
    uses: ["interrupts", "apic"],
    needs: ["msi"],
    registers: BIG_ES,
    program: program(
      16,
      `
      cli${NMI_SETUP}
      mov al, 1
      out 0x80, al
before: hlt
      done
handler:
      push bp
      mov bp, sp
      mov word ptr [bp + 2], offset before + 1   # it may have come before HLT
      inc byte ptr [0x4000]
      pop bp
      iret`,
    ),
    exits: [{ kind: "port-out", port: 0x80, size: 1, value: 1, message: NMI_MESSAGE }],
    final: { memory: [{ at: DATA_AT, bytes: [1] }] },
  },
  {
    id: "messages/nmi-blocked",
    title: "holds the next non-maskable interrupt back until the handler of the first returns",
    uses: ["interrupts", "apic"],
    needs: ["msi"],
    registers: BIG_ES,
    program: program(
      16,
      `
      cli${NMI_SETUP}
      mov al, 1
      out 0x80, al
wait: cmp byte ptr [0x4000], 2
      jne wait
      done
handler:
      push cx
      inc byte ptr [0x4000]
      cmp byte ptr [0x4000], 1
      jne second
      mov al, 2
      out 0x81, al            # the host sends another
      mov cx, 5000
      loop .
      mov al, [0x4000]
      mov [0x4001], al        # still 1
second: pop cx
      iret`,
    ),
    exits: [
      { kind: "port-out", port: 0x80, size: 1, value: 1, message: NMI_MESSAGE },
      { kind: "port-out", port: 0x81, size: 1, value: 2, message: NMI_MESSAGE },
    ],
    final: { registers: { sp: 0x7000n }, memory: [{ at: DATA_AT, bytes: [2, 1] }] },
  },
  {
    id: "messages/nmi-of-another-vcpu",
    title: "delivers a non-maskable interrupt that one vCPU sends to another, which halts, by its interrupt command register",
    uses: ["interrupts", "apic"],
    config: { vcpus: 2 },
    registers: BIG_ES,
    memory: [{ at: 0x2000, bytes: [0xea, 0x10, 0x10, 0, 0] }], // where the start-up IPI leads: jmp 0:1010h
    program: program(
      16,
      `
      jmp start
      .org 0x10
other: xor ax, ax
      mov ds, ax
      mov ss, ax
      mov sp, 0x6000
      mov byte ptr [0x4000], 1
before: hlt
      mov byte ptr [0x4002], 1
9:    cli
      hlt
      jmp 9b
handler:
      push bp
      mov bp, sp
      mov word ptr [bp + 2], offset before + 1
      inc byte ptr [0x4001]
      pop bp
      iret
start:
      cli${NMI_SETUP}
      mov dword ptr es:[edi + 0x310], 0x1000000   # to the local APIC with ID 1
      mov dword ptr es:[edi + 0x300], 0x4500      # INIT
idle: test dword ptr es:[edi + 0x300], 0x1000
      jnz idle
      mov dword ptr es:[edi + 0x300], 0x4602      # start at 2000h
ready: cmp byte ptr [0x4000], 1
      jne ready
      mov dword ptr es:[edi + 0x300], 0x4400      # NMI
wait: cmp byte ptr [0x4002], 1
      jne wait
      done`,
    ),
    exits: [],
    final: { memory: [{ at: DATA_AT, bytes: [1, 1, 1] }] },
  },
  {
    id: "messages/ioapic",
    title:
      "delivers edges and levels through the IOAPIC: an edge once, a level again after each end of interrupt until it is dropped",
    uses: ["interrupts", "apic"],
    registers: BIG_ES,
    program: program(
      16,
      `
      mov word ptr [0x41 * 4], offset handler
      mov word ptr [0x41 * 4 + 2], 0
      mov edi, 0xfee00000
      mov dword ptr es:[edi + 0xf0], 0x1ff
      mov esi, 0xfec00000
      mov dword ptr es:[esi], 0x10 + 2 * 20 + 1   # input 20: to ID 0
      mov dword ptr es:[esi + 0x10], 0
      mov dword ptr es:[esi], 0x10 + 2 * 20       # edge, vector 41h
      mov dword ptr es:[esi + 0x10], 0x41
      mov al, 1
      out 0x80, al            # raised, and held
      sti
edge: cmp byte ptr [0x4000], 1
      jne edge
      cli
      mov al, 2
      out 0x80, al            # dropped
      mov dword ptr es:[esi + 0x10], 0x8041       # level
      mov al, 3
      out 0x80, al            # raised, and held until the third interrupt
      sti
level: cmp byte ptr [0x4000], 4
      jne level
      cli
      mov al, 4
      out 0x80, al
      done
handler:
      push ax
      inc byte ptr [0x4000]
      mov al, [0x4000]
      out 0x81, al
      mov dword ptr es:[edi + 0xb0], 0
      pop ax
      iret`,
    ),
    exits: [
      { kind: "port-out", port: 0x80, size: 1, value: 1, line: { gsi: 20, asserted: true } },
      { kind: "port-out", port: 0x81, size: 1, value: 1 },
      { kind: "port-out", port: 0x80, size: 1, value: 2, line: { gsi: 20, asserted: false } },
      { kind: "port-out", port: 0x80, size: 1, value: 3, line: { gsi: 20, asserted: true } },
      { kind: "port-out", port: 0x81, size: 1, value: 2 },
      { kind: "port-out", port: 0x81, size: 1, value: 3 },
      { kind: "port-out", port: 0x81, size: 1, value: 4, line: { gsi: 20, asserted: false } },
      { kind: "port-out", port: 0x80, size: 1, value: 4 },
    ],
    final: { registers: { sp: 0x7000n }, memory: [{ at: DATA_AT, bytes: [4] }] },
  },
];

// String instructions on ports and on memory-mapped devices: one exit for each element, in order, in both directions.

import type { GuestCase } from "../guest-case.js";
import { program } from "../program.js";
import { DATA_AT } from "../start-state.js";

export const STRING_CASES: readonly GuestCase[] = [
  {
    id: "strings/outs",
    title: "reports each element of REP OUTSB and REP OUTSW as a write of its own, forwards and backwards",
    uses: ["strings"],
    program: program(
      16,
      `
      mov dx, 0x510
      mov si, 0x4000
      mov cx, 3
      cld
      rep outsb
      mov si, 0x4002
      mov cx, 2
      std
      rep outsw
      cld
      done`,
    ),
    memory: [{ at: DATA_AT, bytes: [1, 2, 3, 4] }],
    exits: [
      { kind: "port-out", port: 0x510, size: 1, value: 1 },
      { kind: "port-out", port: 0x510, size: 1, value: 2 },
      { kind: "port-out", port: 0x510, size: 1, value: 3 },
      { kind: "port-out", port: 0x510, size: 2, value: 0x403 },
      { kind: "port-out", port: 0x510, size: 2, value: 0x201 },
    ],
    final: { registers: { cx: 0n, si: 0x3ffen } },
  },
  {
    id: "strings/ins",
    title: "stores what each element of REP INSW and REP INSB was answered",
    uses: ["strings"],
    program: program(
      16,
      `
      mov dx, 0x510
      mov di, 0x4000
      mov cx, 2
      cld
      rep insw
      mov cx, 2
      rep insb
      mov cx, 0
      rep insb
      done`,
    ),
    exits: [
      { kind: "port-in", port: 0x510, size: 2, answer: 0x0201 },
      { kind: "port-in", port: 0x510, size: 2, answer: 0x0403 },
      { kind: "port-in", port: 0x510, size: 1, answer: 5 },
      { kind: "port-in", port: 0x510, size: 1, answer: 6 },
    ],
    final: { registers: { cx: 0n, di: 0x4006n }, memory: [{ at: DATA_AT, bytes: [1, 2, 3, 4, 5, 6, 0] }] },
  },
  {
    id: "strings/movs-to-device",
    title: "reports each element of REP MOVSW to a device as a write of its own",
    uses: ["strings"],
    program: program(
      16,
      `
      mov ax, 0xa000
      mov es, ax
      mov si, 0x4000
      mov di, 0x40
      mov cx, 3
      cld
      rep movsw
      done`,
    ),
    memory: [{ at: DATA_AT, bytes: [1, 2, 3, 4, 5, 6] }],
    exits: [
      { kind: "mmio-write", at: 0xa0040, size: 2, value: 0x0201n },
      { kind: "mmio-write", at: 0xa0042, size: 2, value: 0x0403n },
      { kind: "mmio-write", at: 0xa0044, size: 2, value: 0x0605n },
    ],
    final: { registers: { cx: 0n, si: 0x4006n, di: 0x46n } },
  },
  {
    id: "strings/movs-from-device",
    title: "stores what each element of REP MOVSB from a device was answered",
    uses: ["strings"],
    program: program(
      16,
      `
      mov ax, 0xa000
      mov ds, ax
      mov si, 0x50
      mov di, 0x4000
      mov cx, 2
      cld
      rep movsb
      done`,
    ),
    exits: [
      { kind: "mmio-read", at: 0xa0050, size: 1, answer: 0x77n },
      { kind: "mmio-read", at: 0xa0051, size: 1, answer: 0x88n },
    ],
    final: { memory: [{ at: DATA_AT, bytes: [0x77, 0x88, 0] }] },
  },
  {
    id: "strings/words-of-32-bits",
    title: "reports REP OUTSD, REP INSD and REP STOSD element by element, with elements that cross pages in RAM",
    uses: ["strings"],
    program: program(
      16,
      `
      mov dx, 0x510
      mov si, 0x4ffe
      mov di, 0x2ffe
      mov cx, 2
      cld
      rep outsd
      mov cx, 2
      rep insd
      mov ax, 0xa000
      mov es, ax
      mov di, 0x60
      mov eax, 0x99887766
      mov cx, 2
      rep stosd
      done`,
    ),
    memory: [{ at: 0x4ffe, bytes: [1, 2, 3, 4, 5, 6, 7, 8] }],
    exits: [
      { kind: "port-out", port: 0x510, size: 4, value: 0x04030201 },
      { kind: "port-out", port: 0x510, size: 4, value: 0x08070605 },
      { kind: "port-in", port: 0x510, size: 4, answer: 0x14131211 },
      { kind: "port-in", port: 0x510, size: 4, answer: 0x18171615 },
      { kind: "mmio-write", at: 0xa0060, size: 4, value: 0x99887766n },
      { kind: "mmio-write", at: 0xa0064, size: 4, value: 0x99887766n },
    ],
    final: { memory: [{ at: 0x2ffe, bytes: [0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18] }] },
  },
  {
    id: "strings/search",
    title: "ends REPNE SCASB and REPE CMPSB over a device at the element that decides, and reads no further",
    uses: ["strings"],
    program: program(
      16,
      `
      mov ax, 0xa000
      mov es, ax
      mov di, 0x70
      mov cx, 10
      mov al, 3
      cld
      repne scasb
      mov bx, cx
      mov si, 0x4000
      mov di, 0x80
      mov cx, 10
      repe cmpsb
      done`,
    ),
    memory: [{ at: DATA_AT, bytes: [7, 8, 9] }],
    exits: [
      { kind: "mmio-read", at: 0xa0070, size: 1, answer: 1n },
      { kind: "mmio-read", at: 0xa0071, size: 1, answer: 3n },
      { kind: "mmio-read", at: 0xa0080, size: 1, answer: 7n },
      { kind: "mmio-read", at: 0xa0081, size: 1, answer: 5n },
    ],
    final: { registers: { bx: 8n, cx: 8n, di: 0x82n, si: 0x4002n } },
  },
];

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
];

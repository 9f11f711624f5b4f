// Accesses that cross a page end into, out of and inside of what is no memory: each side gets its own bytes, once, lower addresses first.
// What lies in RAM or ROM is no exit; a rest that is no width of an exit comes in the largest pieces that are.

import type { GuestCase } from "../guest-case.js";
import { program } from "../program.js";
import { DATA_AT, ROM_AT } from "../start-state.js";

export const CROSSING_CASES: readonly GuestCase[] = [
  {
    id: "crossing/ram-to-device",
    title: "splits an access that begins in RAM and ends in a device: the RAM is accessed, the device gets its bytes alone",
    program: program(
      16,
      `
      mov ax, 0x9fff
      mov ds, ax
      mov eax, 0x44332211
      mov [0x0e], eax
      mov ebx, [0x0e]
      mov cx, 0x0101
      add [0x0f], cx          # reads and writes the last byte of RAM and the first of the device
      mov dl, [0x0f]
      done`,
    ),
    exits: [
      { kind: "mmio-write", at: 0xa0000, size: 2, value: 0x4433n },
      { kind: "mmio-read", at: 0xa0000, size: 2, answer: 0xbbaan },
      { kind: "mmio-read", at: 0xa0000, size: 1, answer: 0x10n },
      { kind: "mmio-write", at: 0xa0000, size: 1, value: 0x11n },
    ],
    final: { registers: { ebx: 0xbbaa2211n }, memory: [{ at: 0x9fffe, bytes: [0x11, 0x23] }] },
  },
  {
    id: "crossing/three-bytes",
    title: "reports the three bytes of an access that are a device's as pieces of two and one",
    program: program(
      16,
      `
      mov ax, 0x9fff
      mov ds, ax
      mov eax, 0x44332211
      mov [0x0f], eax
      mov ebx, [0x0f]
      done`,
    ),
    exits: [
      { kind: "mmio-write", at: 0xa0000, size: 2, value: 0x3322n },
      { kind: "mmio-write", at: 0xa0002, size: 1, value: 0x44n },
      { kind: "mmio-read", at: 0xa0000, size: 2, answer: 0xbbaan },
      { kind: "mmio-read", at: 0xa0002, size: 1, answer: 0xccn },
    ],
    final: { registers: { ebx: 0xccbbaa11n } },
  },
  {
    id: "crossing/device-to-rom",
    title: "splits an access that begins in a device and ends in ROM: the device is written, the ROM is not",
    program: program(
      16,
      `
      mov ax, 0xdfff
      mov ds, ax
      mov eax, 0x44332211
      mov [0x0e], eax
      mov ebx, [0x0e]
      done`,
    ),
    memory: [{ at: ROM_AT, bytes: [0x55, 0xaa] }],
    exits: [
      { kind: "mmio-write", at: 0xdfffe, size: 2, value: 0x2211n },
      { kind: "mmio-read", at: 0xdfffe, size: 2, answer: 0x7766n },
    ],
    final: { registers: { ebx: 0xaa557766n }, memory: [{ at: ROM_AT, bytes: [0x55, 0xaa] }] },
  },
  {
    id: "crossing/device-to-device",
    title: "splits an access to two pages of devices at the page end",
    program: program(
      16,
      `
      mov ax, 0xa0ff
      mov ds, ax
      mov eax, 0x44332211
      mov [0x0e], eax
      mov ebx, [0x0e]
      mov [0x0f], ax
      done`,
    ),
    exits: [
      { kind: "mmio-write", at: 0xa0ffe, size: 2, value: 0x2211n },
      { kind: "mmio-write", at: 0xa1000, size: 2, value: 0x4433n },
      { kind: "mmio-read", at: 0xa0ffe, size: 2, answer: 0xbbaan },
      { kind: "mmio-read", at: 0xa1000, size: 2, answer: 0xddccn },
      { kind: "mmio-write", at: 0xa0fff, size: 1, value: 0x11n },
      { kind: "mmio-write", at: 0xa1000, size: 1, value: 0x22n },
    ],
    final: { registers: { ebx: 0xddccbbaan } },
  },
  {
    id: "crossing/long-mode",
    title: "splits accesses of 8 bytes in 64-bit mode",
    uses: ["long-mode"],
    program: program(
      64,
      `
      mov rax, 0x8877665544332211
      mov [0x9fffc], rax
      mov rbx, [0x9fffe]
      mov edi, 0xfe000ffc
      mov [rdi], rax
      done`,
    ),
    exits: [
      { kind: "mmio-write", at: 0xa0000, size: 4, value: 0x88776655n },
      { kind: "mmio-read", at: 0xa0000, size: 4, answer: 0xddccbbaan },
      { kind: "mmio-read", at: 0xa0004, size: 2, answer: 0xffeen },
      { kind: "mmio-write", at: 0xfe000ffc, size: 4, value: 0x44332211n },
      { kind: "mmio-write", at: 0xfe001000, size: 4, value: 0x88776655n },
    ],
    final: { registers: { rbx: 0xffeeddccbbaa4433n } },
  },
  {
    id: "crossing/strings",
    title: "splits the one element of a string instruction that crosses into a device, and no other",
    uses: ["strings"],
    program: program(
      16,
      `
      mov ax, 0x9fff
      mov es, ax
      mov si, 0x4000
      mov di, 0x0b
      mov cx, 3
      cld
      rep movsw               # 9fffb, 9fffd, 9ffff
      done`,
    ),
    memory: [{ at: DATA_AT, bytes: [1, 2, 3, 4, 5, 6] }],
    exits: [{ kind: "mmio-write", at: 0xa0000, size: 1, value: 6n }],
    final: { registers: { cx: 0n, di: 0x11n }, memory: [{ at: 0x9fffb, bytes: [1, 2, 3, 4, 5] }] },
  },
];

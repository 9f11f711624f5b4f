// Memory-mapped accesses: every width, read-modify-write, ROM, and addresses of 64-bit mode.

import type { GuestCase } from "../guest-case.js";
import { program } from "../program.js";
import { ROM_AT } from "../start-state.js";

export const MMIO_CASES: readonly GuestCase[] = [
  {
    id: "mmio/real-mode",
    title: "reports memory-mapped accesses of 1, 2 and 4 bytes in real mode",
    program: program(
      16,
      `
      mov ax, 0xa000
      mov ds, ax
      mov eax, 0x12345678
      mov [0x10], al
      mov [0x12], ax
      mov [0x14], eax
      mov bl, [0x20]
      mov cx, [0x22]
      mov edx, [0x24]
      done`,
    ),
    exits: [
      { kind: "mmio-write", at: 0xa0010, size: 1, value: 0x78n },
      { kind: "mmio-write", at: 0xa0012, size: 2, value: 0x5678n },
      { kind: "mmio-write", at: 0xa0014, size: 4, value: 0x12345678n },
      { kind: "mmio-read", at: 0xa0020, size: 1, answer: 0x1aan },
      { kind: "mmio-read", at: 0xa0022, size: 2, answer: 0xbbccn },
      { kind: "mmio-read", at: 0xa0024, size: 4, answer: 0xfedcba98n },
    ],
    final: { registers: { bl: 0xaan, cx: 0xbbccn, edx: 0xfedcba98n } },
  },
  {
    id: "mmio/read-modify-write",
    title: "reads and then writes, each once, for an instruction that does both",
    program: program(
      16,
      `
      mov ax, 0xa000
      mov ds, ax
      mov al, 5
      add [0x30], al
      done`,
    ),
    exits: [
      { kind: "mmio-read", at: 0xa0030, size: 1, answer: 0xfdn },
      { kind: "mmio-write", at: 0xa0030, size: 1, value: 2n },
    ],
    final: { flags: { set: 1n } },
  },
  {
    id: "mmio/rom",
    title: "lets the guest read ROM without an exit, and drops its writes",
    program: program(
      16,
      `
      mov ax, 0xe000
      mov ds, ax
      mov byte ptr [0], 0x77
      mov al, [0]
      mov ah, [1]
      done`,
    ),
    memory: [{ at: ROM_AT, bytes: [0x55, 0xaa] }],
    exits: [],
    final: { registers: { ax: 0xaa55n } },
  },
  {
    id: "mmio/long-mode",
    title: "reports accesses of 8 bytes, at addresses beyond 2 GiB",
    uses: ["long-mode"],
    program: program(
      64,
      `
      mov edi, 0xfe000000
      mov rax, 0x1122334455667788
      mov [rdi], rax
      mov rbx, [rdi + 8]
      movzx ecx, byte ptr [rdi + 3]
      movsx rdx, word ptr [rdi + 6]
      done`,
    ),
    exits: [
      { kind: "mmio-write", at: 0xfe000000, size: 8, value: 0x1122334455667788n },
      { kind: "mmio-read", at: 0xfe000008, size: 8, answer: 0xfedcba9876543210n },
      { kind: "mmio-read", at: 0xfe000003, size: 1, answer: 0x80n },
      { kind: "mmio-read", at: 0xfe000006, size: 2, answer: 0x8001n },
    ],
    final: { registers: { rbx: 0xfedcba9876543210n, rcx: 0x80n, rdx: 0xffffffffffff8001n } },
  },
  {
    id: "mmio/locked",
    title: "reads and writes a device once each for locked instructions, XCHG among them",
    program: program(
      16,
      `
      mov ax, 0xa000
      mov ds, ax
      mov al, 5
      lock add [0x30], al
      mov bx, 0x1234
      xchg bx, [0x32]
      done`,
    ),
    exits: [
      { kind: "mmio-read", at: 0xa0030, size: 1, answer: 0x10n },
      { kind: "mmio-write", at: 0xa0030, size: 1, value: 0x15n },
      { kind: "mmio-read", at: 0xa0032, size: 2, answer: 0x5678n },
      { kind: "mmio-write", at: 0xa0032, size: 2, value: 0x1234n },
    ],
    final: { registers: { bx: 0x5678n } },
  },
];

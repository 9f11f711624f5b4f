// Port reads and writes: every width, what the host answers, what stays of a register.

import type { GuestCase } from "../guest-case.js";
import { program } from "../program.js";

export const PORT_CASES: readonly GuestCase[] = [
  {
    id: "ports/out",
    title: "reports port writes of 1, 2 and 4 bytes in real mode, with their ports and values",
    program: program(
      16,
      `
      mov eax, 0x12345678
      out 0x80, al
      out 0x80, ax
      out 0x80, eax
      mov dx, 0xffff
      out dx, al
      mov dx, 0x510
      out dx, ax
      out dx, eax
      done`,
    ),
    exits: [
      { kind: "port-out", port: 0x80, size: 1, value: 0x78 },
      { kind: "port-out", port: 0x80, size: 2, value: 0x5678 },
      { kind: "port-out", port: 0x80, size: 4, value: 0x12345678 },
      { kind: "port-out", port: 0xffff, size: 1, value: 0x78 },
      { kind: "port-out", port: 0x510, size: 2, value: 0x5678 },
      { kind: "port-out", port: 0x510, size: 4, value: 0x12345678 },
    ],
  },
  {
    id: "ports/in",
    title: "reads ports of 1, 2 and 4 bytes, and changes no more of the register than was read",
    program: program(
      16,
      `
      mov eax, 0x11111111
      mov dx, 0x510
      in al, dx
      mov ebx, eax
      in ax, dx
      mov ecx, eax
      in eax, dx
      done`,
    ),
    exits: [
      { kind: "port-in", port: 0x510, size: 1, answer: 0xaa },
      { kind: "port-in", port: 0x510, size: 2, answer: 0xbbcc },
      { kind: "port-in", port: 0x510, size: 4, answer: 0xfedcba98 },
    ],
    final: { registers: { ebx: 0x111111aan, ecx: 0x1111bbccn, eax: 0xfedcba98n } },
  },
  {
    id: "ports/narrow-answers",
    title: "cuts an answer to the width of the read, and reads ones where nobody answers",
    program: program(
      16,
      `
      xor eax, eax
      in al, 0x60
      mov ebx, eax
      in ax, 0x60
      done`,
    ),
    exits: [
      { kind: "port-in", port: 0x60, size: 1, answer: 0x1ff },
      { kind: "port-in", port: 0x60, size: 2 },
    ],
    final: { registers: { ebx: 0xffn, eax: 0xffffn } },
  },
  {
    id: "ports/flags",
    title: "keeps flags and all other registers over an exit",
    program: program(
      16,
      `
      mov ebx, 0xb0b0b0b0
      mov ecx, 0xc0c0c0c0
      mov esi, 0x51515151
      mov edi, 0xd1d1d1d1
      mov ebp, 0xbebebebe
      mov dx, 0x510
      stc
      in al, dx
      done`,
    ),
    exits: [{ kind: "port-in", port: 0x510, size: 1, answer: 0 }],
    final: {
      registers: { ebx: 0xb0b0b0b0n, ecx: 0xc0c0c0c0n, esi: 0x51515151n, edi: 0xd1d1d1d1n, ebp: 0xbebebeben, esp: 0x7000n },
      flags: { set: 1n },
    },
  },
  {
    id: "ports/protected-mode",
    title: "reports port accesses in 32-bit protected mode",
    uses: ["protected-mode"],
    program: program(
      32,
      `
      mov dx, 0x510
      mov eax, 0x89abcdef
      out dx, eax
      in ax, dx
      done`,
    ),
    exits: [
      { kind: "port-out", port: 0x510, size: 4, value: 0x89abcdef },
      { kind: "port-in", port: 0x510, size: 2, answer: 0x1234 },
    ],
    final: { registers: { rax: 0x89ab1234n } },
  },
  {
    id: "ports/long-mode",
    title: "reports port accesses in 64-bit mode; a 32-bit read clears the upper half of RAX",
    uses: ["long-mode"],
    program: program(
      64,
      `
      mov rax, -1
      mov dx, 0x510
      in ax, dx
      mov rbx, rax
      in eax, dx
      done`,
    ),
    exits: [
      { kind: "port-in", port: 0x510, size: 2, answer: 0x1234 },
      { kind: "port-in", port: 0x510, size: 4, answer: 0x80000001 },
    ],
    final: { registers: { rbx: 0xffffffffffff1234n, rax: 0x80000001n } },
  },
];

// Memory and code that change under a running guest: page tables that it edits, code that it writes. The host's part is in contract/remapping.ts.

import type { GuestCase } from "../guest-case.js";
import { program } from "../program.js";
import { DATA_AT } from "../start-state.js";

export const REMAPPING_CASES: readonly GuestCase[] = [
  {
    id: "remapping/pages",
    title: "follows page tables that the guest edits: an address is one frame, another, a device, and RAM again",
    uses: ["long-mode", "paging"],
    program: program(
      64,
      `
      mov qword ptr [0xb000], 0x10003   # 1 GiB: a page table at 10000h in place of the large page
      mov byte ptr [0x20000], 0x11
      mov byte ptr [0x21000], 0x22
      mov edi, 0x40000000
      mov ecx, 300
again: mov qword ptr [0x10000], 0x20003
      invlpg [rdi]
      cmp byte ptr [rdi], 0x11
      jne bad
      mov qword ptr [0x10000], 0x21003
      invlpg [rdi]
      cmp byte ptr [rdi], 0x22
      jne bad
      dec ecx
      jnz again
      mov qword ptr [0x10000], 0xa0003
      invlpg [rdi]
      mov eax, [rdi + 0x124]
      mov [rdi + 0x128], ax
      mov qword ptr [0x10000], 0x20003
      invlpg [rdi]
      mov [rdi + 0x124], eax
      done
bad:  ud2`,
    ),
    exits: [
      { kind: "mmio-read", at: 0xa0124, size: 4, answer: 0xfedcba98n },
      { kind: "mmio-write", at: 0xa0128, size: 2, value: 0xba98n },
    ],
    final: { registers: { rcx: 0n }, memory: [{ at: 0x20124, bytes: [0x98, 0xba, 0xdc, 0xfe] }] },
  },
  {
    id: "remapping/self-modifying",
    title: "executes what the guest wrote over its code, in the loop that wrote it",
    uses: ["self-modifying"],
    program: program(
      16,
      `
      xor bx, bx
      mov cx, 200
again: mov byte ptr [patched + 1], cl
      jmp patched
patched: mov al, 0
      mov ah, 0
      add bx, ax              # the sum of 1 to 200
      loop again
      mov [0x4000], bx
      done`,
    ),
    exits: [],
    final: { memory: [{ at: DATA_AT, bytes: [0x84, 0x4e] }] },
  },
];

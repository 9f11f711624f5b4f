// The processor itself: exceptions, triple faults, CPUID, MSRs, SSE and XSAVE, page faults. Not a test of every instruction.

import type { GuestCase } from "../guest-case.js";
import { program } from "../program.js";
import { DATA_AT } from "../start-state.js";

export const PROCESSOR_CASES: readonly GuestCase[] = [
  {
    id: "processor/triple-fault",
    title: "reports a triple fault as a shutdown, once",
    uses: ["long-mode", "exceptions"],
    program: program(
      64,
      `
      mov al, 7
      out 0x80, al
      lidt [rip + nothing]
      ud2
nothing: .fill 10, 1, 0`,
    ),
    ends: "shutdown",
    exits: [
      { kind: "port-out", port: 0x80, size: 1, value: 7 },
      { kind: "shutdown", cause: "triple-fault" },
    ],
  },
  {
    id: "processor/real-mode-exception",
    title: "delivers a division by zero to the guest's handler, with the address of the division",
    uses: ["exceptions"],
    program: program(
      16,
      `
      mov word ptr [0], offset handler
      mov word ptr [2], 0
      xor bx, bx
divide: div bl
      done
handler:
      pop ax
      sub ax, offset divide
      done`,
    ),
    exits: [],
    final: { registers: { ax: 0n, sp: 0x6ffcn } },
  },
  {
    id: "processor/page-fault",
    title: "delivers a page fault with its address in CR2 and its error code on the stack",
    uses: ["long-mode", "paging", "exceptions"],
    program: program(
      64,
      `
      lea rax, [rip + handler]
      mov edi, 0x7a00 + 14 * 16
      mov [rdi], ax
      mov word ptr [rdi + 2], 0x18
      mov word ptr [rdi + 4], 0x8e00
      mov word ptr [rdi + 6], 0
      mov qword ptr [rdi + 8], 0
      mov rbx, 0x123456789000
      mov byte ptr [rbx + 5], 1
      ud2
handler:
      pop rcx
      mov rdx, cr2
      done`,
    ),
    exits: [],
    final: { registers: { rcx: 2n, rdx: 0x123456789005n } },
  },
  {
    id: "processor/cpuid",
    title: "answers CPUID, without an exit, with what every x86-64 processor has",
    uses: ["long-mode", "cpuid"],
    program: program(
      64,
      `
      xor eax, eax
      cpuid
      cmp eax, 1
      jb bad
      mov eax, 1
      xor ecx, ecx
      cpuid
      mov esi, edx
      and esi, 0x07808171     # FPU, TSC, MSR, PAE, CX8, CMOV, MMX, FXSR, SSE, SSE2 … of every x86-64
      mov eax, 0x80000001
      cpuid
      mov edi, edx
      and edi, 0x20000000     # LM
      done
bad:  ud2`,
    ),
    exits: [],
    final: { registers: { esi: 0x07808171n, edi: 0x20000000n } },
  },
  {
    id: "processor/msr",
    title: "keeps what WRMSR wrote: FS.base, KERNEL_GS_BASE with SWAPGS, and the SYSCALL MSRs",
    uses: ["long-mode", "msr"],
    program: program(
      64,
      `
      mov ecx, 0xc0000100     # FS.base
      mov eax, 0x4000
      xor edx, edx
      wrmsr
      mov rbx, fs:[8]
      mov ecx, 0xc0000102     # KERNEL_GS_BASE
      mov eax, 0x89abcdef
      mov edx, 0x1234
      wrmsr
      swapgs
      mov ecx, 0xc0000101     # GS.base
      rdmsr
      shl rdx, 32
      lea rsi, [rdx + rax]
      mov ecx, 0xc0000082     # LSTAR
      mov eax, 0x55667788
      mov edx, 0x00001122
      wrmsr
      xor eax, eax
      xor edx, edx
      rdmsr
      shl rdx, 32
      lea rdi, [rdx + rax]
      done`,
    ),
    memory: [{ at: DATA_AT + 8, bytes: [1, 2, 3, 4, 5, 6, 7, 8] }],
    exits: [],
    final: { registers: { rbx: 0x0807060504030201n, rsi: 0x123489abcdefn, rdi: 0x112255667788n } },
  },
  {
    id: "processor/unknown-msr",
    title: "raises #GP for an MSR that does not exist",
    uses: ["long-mode", "msr", "exceptions"],
    program: program(
      64,
      `
      lea rax, [rip + handler]
      mov edi, 0x7a00 + 13 * 16
      mov [rdi], ax
      mov word ptr [rdi + 2], 0x18
      mov word ptr [rdi + 4], 0x8e00
      mov word ptr [rdi + 6], 0
      mov qword ptr [rdi + 8], 0
      mov ecx, 0x4fffffff
      rdmsr
      ud2
handler:
      pop rbx
      mov esi, 13
      done`,
    ),
    exits: [],
    final: { registers: { rbx: 0n, rsi: 13n } },
  },
  {
    id: "processor/sse",
    title: "computes with x87 and SSE, and keeps their registers over exits",
    uses: ["long-mode", "fpu"],
    program: program(
      64,
      `
      mov dx, 0x510
      fninit
      fldpi
      mov eax, 3
      cvtsi2sd xmm5, eax
      mov eax, 0x01020304
      movd xmm15, eax
      pshufd xmm15, xmm15, 0
      in al, dx
      addsd xmm5, xmm5
      movsd [0x4000], xmm5
      movdqu [0x4010], xmm15
      fstp tbyte ptr [0x4020]
      done`,
    ),
    exits: [{ kind: "port-in", port: 0x510, size: 1, answer: 0 }],
    final: {
      memory: [
        { at: DATA_AT, bytes: [0, 0, 0, 0, 0, 0, 0x18, 0x40] },
        { at: DATA_AT + 0x10, bytes: [4, 3, 2, 1, 4, 3, 2, 1, 4, 3, 2, 1, 4, 3, 2, 1] },
        { at: DATA_AT + 0x20, bytes: [0x35, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0x00, 0x40] },
      ],
    },
  },
];

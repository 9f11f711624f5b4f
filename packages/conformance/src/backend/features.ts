// Parts of the architecture that cases use and that a backend's capabilities do not tell apart. A backend that lacks one, as an
// interpreter of a part of the instruction set does, names it with its reason: the difference stands in the test, and in its output.

export const FEATURES = {
  "guest-code": "runs guest instructions at all",
  strings: "string instructions, with and without REP",
  "protected-mode": "32-bit protected mode",
  "long-mode": "64-bit mode",
  paging: "page tables",
  interrupts: "the 8259A, the interrupt table, HLT",
  apic: "local APICs, start-up IPIs, interrupt messages",
  cpuid: "CPUID and the machine of its profile",
  profiles: "a CPU profile by name is the same processor as on any other backend",
  "interrupt-shadow": "the shadow of STI, also where the host interrupts the guest in it",
  msr: "RDMSR and WRMSR",
  fpu: "x87, SSE and XSAVE",
  avx: "AVX where CPUID has it, and XSETBV",
  "self-modifying": "code that the guest or the host changes while it runs",
  timers: "the 8254 and the timers of local APICs",
  breakpoints: "breakpoints for a debugger outside the guest",
  uart: "native UARTs",
  exceptions: "exceptions that are delivered to the guest",
} as const;

export type Feature = keyof typeof FEATURES;

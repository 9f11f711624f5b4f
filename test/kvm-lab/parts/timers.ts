// Timers of the lab's kernel come while a guest runs that never leaves KVM and has, with interrupts disabled, an interrupt waiting: each entry
// then has a virtual interrupt pending, at which an emulated processor may lose a real one (`losesInterrupts` in lab-qemu.ts). The guest's own
// timer, which KVM has of the kernel, makes many. Without a remedy such a lab may stand still for ever, if it has one processor.

import { KvmBackend } from "@ringzero/backend-kvm";
import { LAB_PROFILE } from "../lab-lacks.js";
import type { Reporter } from "../part.js";

const RUNS_MS = 60_000;
/** The lab's host may be busy. */
const LONGEST_GAP_MS = 10_000;
const CODE_AT = 0x1000;
const COUNT_AT = 0x2000;
/** In 16-bit code; its x2APIC's timer fires for vector 40h every 250 µs. CPUID is served in the kernel. */
const CODE = [
  ...[0x66, 0xb9, 0x1b, 0x00, 0x00, 0x00, 0x0f, 0x32, 0x80, 0xcc, 0x0c, 0x0f, 0x30], // mov ecx,1bh; rdmsr; or ah,0ch; wrmsr
  ...[0x66, 0xb9, 0x0f, 0x08, 0x00, 0x00, 0x66, 0xb8, 0xff, 0x01, 0x00, 0x00, 0x66, 0x31, 0xd2, 0x0f, 0x30], // 80fh: 1ffh
  ...[0x66, 0xb9, 0x32, 0x08, 0x00, 0x00, 0x66, 0xb8, 0x40, 0x00, 0x02, 0x00, 0x0f, 0x30], // 832h: periodic, 40h
  ...[0x66, 0xb9, 0x3e, 0x08, 0x00, 0x00, 0x66, 0xb8, 0x0b, 0x00, 0x00, 0x00, 0x0f, 0x30], // 83eh: by 1
  ...[0x66, 0xb9, 0x38, 0x08, 0x00, 0x00, 0x66, 0xb8, 0x90, 0xd0, 0x03, 0x00, 0x0f, 0x30], // 838h: 250 000 ns
  ...[0x66, 0xff, 0x06, 0x00, 0x20, 0x0f, 0xa2, 0xeb, 0xf7], // again: inc dword [2000h]; cpuid; jmp again
];

export async function timers(report: Reporter): Promise<void> {
  const memory = [{ at: 0, sizeBytes: 2 ** 20 }];
  const vm = await new KvmBackend().createVm(
    { name: "timers", vcpus: 1, memory, cpuProfile: LAB_PROFILE, uarts: [] },
    () => undefined,
  );
  try {
    vm.memory.write(CODE_AT, Uint8Array.from(CODE));
    const registers = await vm.vcpus[0]!.getRegisters();
    const cs = { ...registers.cs, selector: 0, base: 0n };
    await vm.vcpus[0]!.setRegisters({ cs, rip: BigInt(CODE_AT) });
    vm.run();
    let ticks = 0;
    let gapMs = 0;
    for (const began = performance.now(); performance.now() - began < RUNS_MS; ticks += 1) {
      const before = performance.now();
      await new Promise((later) => setTimeout(later, 2));
      gapMs = Math.max(gapMs, performance.now() - before);
    }
    await vm.pause();
    const count = vm.memory.view(COUNT_AT, 4);
    const exits = new DataView(count.buffer, count.byteOffset).getUint32(0, true);
    const detail = `${ticks} timers and ${exits} exits in ${RUNS_MS / 1000} s, the latest timer after ${gapMs.toFixed(0)} ms`;
    if (exits > 0 && gapMs < LONGEST_GAP_MS) report.passed("timers come while a guest waits for an interrupt", detail);
    else report.failed("timers come while a guest waits for an interrupt", detail);
  } finally {
    await vm.dispose();
  }
}

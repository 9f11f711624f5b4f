// Timers of the lab's kernel come while a guest runs that never leaves KVM and waits, with interrupts disabled, for an interrupt that is there:
// each entry then has a virtual interrupt pending, at which an emulated processor may lose a real one (`losesInterrupts` in lab-qemu.ts).
// Without a remedy the lab stands still for ever within a minute, with one processor.

import { KvmBackend } from "@ringzero/backend-kvm";
import { LAB_PROFILE } from "../lab-lacks.js";
import type { Reporter } from "../part.js";

const RUNS_MS = 60_000;
/** The lab's host may be busy. */
const LONGEST_GAP_MS = 10_000;
const CODE_AT = 0x1000;
const COUNT_AT = 0x2000;
/** again: inc dword [2000h]; cpuid; jmp again. In 16-bit code; CPUID is served in the kernel. */
const CODE = [0x66, 0xff, 0x06, 0x00, 0x20, 0x0f, 0xa2, 0xeb, 0xf7];
const LINE = 5;

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
    vm.interrupts.setLine(LINE, true);
    vm.run();
    let ticks = 0;
    let gapMs = 0;
    for (const began = performance.now(); performance.now() - began < RUNS_MS; ticks += 1) {
      const before = performance.now();
      await new Promise((later) => setTimeout(later, 1));
      gapMs = Math.max(gapMs, performance.now() - before);
    }
    await vm.pause();
    const count = vm.memory.view(COUNT_AT, 4);
    const exits = new DataView(count.buffer, count.byteOffset).getUint32(0, true);
    const detail = `${ticks} timers and ${exits} exits in ${RUNS_MS / 1000} s, the latest timer ${gapMs.toFixed(0)} ms late`;
    if (exits > 0 && gapMs < LONGEST_GAP_MS) report.passed("timers come while a guest waits for an interrupt", detail);
    else report.failed("timers come while a guest waits for an interrupt", detail);
  } finally {
    await vm.dispose();
  }
}

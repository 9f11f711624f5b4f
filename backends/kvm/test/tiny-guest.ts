// Real-mode guests of a few instructions at the reset vector, and whether this host can run them.

import type { ExitHandler, VmConfig } from "@ringzero/api";
import { KvmBackend, KvmVm } from "@ringzero/backend-kvm";

export const MIB = 2 ** 20;
export const ROM_AT = 0xffff0000;

/** Skips the suite where KVM cannot be used, saying what is missing. */
export async function needKvm(context: Mocha.Context): Promise<void> {
  const { available, reason } = await new KvmBackend().probe();
  if (available) return;
  console.log(`      skipped: ${reason}`);
  context.skip();
}

/** 1 MiB of RAM at 0 and a 64 KiB ROM below 4 GiB. */
export function romConfig(more: Partial<VmConfig> = {}): VmConfig {
  return {
    name: "rom",
    vcpus: 1,
    memory: [
      { at: 0, sizeBytes: MIB },
      { at: ROM_AT, sizeBytes: 0x10000, readOnly: true },
    ],
    cpuProfile: "host",
    uarts: [{ port: 0x3f8, irq: 4 }],
    ...more,
  };
}

/** A machine whose ROM begins with `code` and jumps there from the reset vector; paused. */
export async function romMachine(code: readonly number[], handler: ExitHandler, more: Partial<VmConfig> = {}): Promise<KvmVm> {
  const vm = await KvmVm.create(romConfig(more), handler);
  vm.memory.write(ROM_AT, Uint8Array.from(code));
  vm.memory.write(ROM_AT + 0xfff0, Uint8Array.of(0xe9, 0x0d, 0x00)); // jmp 0 (IP wraps at 64 KiB)
  return vm;
}

export async function until(done: () => boolean, what: string): Promise<void> {
  const limit = Date.now() + 10_000;
  while (!done()) {
    if (Date.now() > limit) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

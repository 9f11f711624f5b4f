// Machines that run a script instead of a guest (native/host/fake_run.h): the transport without the translator.

import { BtVm } from "@ringzero/backend-bt";
import type { ExitHandler, VmConfig } from "@ringzero/api";

export const MIB = 2 ** 20;

/** A configuration with 16 MiB at 0, one UART, and the script as its guest. */
export function scripted(script: string, more: Partial<VmConfig> = {}): VmConfig {
  return {
    name: "scripted",
    vcpus: 1,
    memory: [{ at: 0, sizeBytes: 16 * MIB }],
    cpuProfile: "x86-64-v2",
    uarts: [{ port: 0x3f8, irq: 4 }],
    ...more,
    options: { fakeRun: script, testCommands: true, ...more.options },
  };
}

export function create(script: string, handler: ExitHandler = () => undefined, more: Partial<VmConfig> = {}): Promise<BtVm> {
  return BtVm.create(scripted(script, more), handler);
}

/** Resolves once `check` is true; rejects after `timeoutMs`. */
export async function until(check: () => boolean, what: string, timeoutMs = 5000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!check()) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** How often the guest's `tick` statement ran. */
export function ticks(vm: BtVm): bigint {
  const view = vm.memory.view(0, 8);
  return new DataView(view.buffer, view.byteOffset, 8).getBigUint64(0, true);
}

/** True while a process with this id exists. */
export function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

// How fast this host's time-stamp counter runs, which QEMU gives its guest as it is. The lab's kernel is told: on a busy host its own measurement,
// against emulated timers that come late, is wrong by factors, and so is every clock in the lab then.

import { BtBackend } from "@ringzero/backend-bt";

/** "The whole" in docs/state-format.md. */
const TSC_HZ_AT = 24;

/** @returns kHz; null where the translator, which measures it, does not run */
export async function hostTscKhz(): Promise<number | null> {
  const backend = new BtBackend();
  if (!(await backend.probe()).available) return null;
  const memory = [{ at: 0, sizeBytes: 2 ** 20 }];
  const vm = await backend.createVm({ name: "host-tsc", vcpus: 1, memory, cpuProfile: "host", uarts: [] }, () => undefined);
  try {
    const state = await vm.saveState();
    return Math.round(Number(new DataView(state.buffer, state.byteOffset).getBigUint64(TSC_HZ_AT, true)) / 1000);
  } finally {
    await vm.dispose();
  }
}

// Machines for the tests here: the fake backend, a scripted guest, a kernel file of six bytes.

import type { DevicePlugin, MachineSpec } from "@ringzero/api";
import { definePlugin } from "@ringzero/api";
import { type MachineOptions, Ringzero } from "@ringzero/core";
import { FakeBackend, fakeBootPlugin, fakeGuest, fakePlatformPlugin, fakePowerPlugin, type FakeStep } from "@ringzero/testing";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "ringzero-core-test-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
export const KERNEL = join(folder, "kernel");
writeFileSync(KERNEL, "kernel");

export function fakeSpec(steps: readonly FakeStep[] = [], changes: Partial<MachineSpec> = {}): MachineSpec {
  return { platform: "fake-pc", memory: "16MiB", boot: { kind: "linux", kernel: KERNEL }, engine: fakeGuest(steps), ...changes };
}

/** A Ringzero with the fake plugins, each given as an object, and a hold on the backend. */
export function fakeRingzero(...devices: DevicePlugin[]): { rz: Ringzero; backend: FakeBackend } {
  const backend = new FakeBackend();
  const plugin = definePlugin({ name: "fake", kind: "backend", api: { min: 1, max: 1 }, create: () => backend });
  return {
    rz: new Ringzero({ plugins: [plugin, fakeBootPlugin, fakePlatformPlugin, fakePowerPlugin, devices], discover: false }),
    backend,
  };
}

export const INLINE: MachineOptions = { host: "inline" };

export async function inlineMachine(steps: readonly FakeStep[], changes: Partial<MachineSpec> = {}, ...devices: DevicePlugin[]) {
  const { rz, backend } = fakeRingzero(...devices);
  const machine = await rz.create(fakeSpec(steps, changes), INLINE);
  return { rz, backend, machine, vm: backend.vms.at(-1)! };
}

/** A device plugin of the test's own. */
export function device(name: string, attach: DevicePlugin["attach"]): DevicePlugin {
  return definePlugin({ name, kind: "device", api: { min: 1, max: 1 }, attach });
}

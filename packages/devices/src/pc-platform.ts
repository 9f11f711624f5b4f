// Platform plugin `pc`: which devices a PC of platform v1 has by itself, beside those that the backend serves natively
// (serial ports, PICs, PIT, IOAPIC, local APICs). Unclaimed ports read all ones; there is no PCI bus.

import { type DeviceSpec, definePlugin, type MachineSpec, PC_IRQS, PC_PORTS } from "@ringzero/api";

/** COM1..COM4. COM3 and COM4 share the lines of COM1 and COM2, as on a PC. */
const SERIAL_PORTS = [
  { port: PC_PORTS.com1, irq: PC_IRQS.com1 },
  { port: PC_PORTS.com2, irq: PC_IRQS.com2 },
  { port: PC_PORTS.com3, irq: PC_IRQS.com1 },
  { port: PC_PORTS.com4, irq: PC_IRQS.com2 },
] as const;

/** The devices of the platform, by id and plugin. */
export const PC_DEVICES: readonly DeviceSpec[] = [
  { id: "rtc", plugin: "rtc" },
  { id: "i8042", plugin: "i8042" },
  { id: "acpi-pm", plugin: "acpi-pm" },
  { id: "system-control", plugin: "system-control" },
  { id: "post-card", plugin: "post-card" },
];

export const pcPlatform = definePlugin({
  name: "pc",
  kind: "platform",
  api: { min: 1, max: 1 },
  summary: "A legacy PC: PICs, PIT, APICs, RTC, i8042, ACPI, serial ports",
  module: import.meta.url,
  /** A device that the spec names with one of these ids replaces the platform's. */
  devices(spec: MachineSpec): readonly DeviceSpec[] {
    const replaced = new Set((spec.devices ?? []).map((device) => device.id));
    return PC_DEVICES.filter((device) => !replaced.has(device.id));
  },
  uarts: (spec: MachineSpec) => SERIAL_PORTS.slice(0, spec.serial ?? 1),
});

export default pcPlatform;

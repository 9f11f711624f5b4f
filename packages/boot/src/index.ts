// Public entry of @ringzero/boot: how machines start, and what they are told about themselves.
// The default export is the boot plugin, for a registry.

export { buildAcpiTables, type AcpiOptions, type AcpiTables } from "./acpi/tables.js";
export type { AcpiUart } from "./acpi/dsdt.js";
export { default, directBoot, elf, firmware, linux, loadBoot, multiboot } from "./boot-source.js";
export { busyboxInitramfs, USERSPACE_BANNER, type BusyboxInitramfsOptions } from "./busybox-initramfs.js";
export { CpioArchive } from "./cpio.js";
export { fetchDebianImages, type DebianImages, type FetchOptions, type FetchProgress } from "./debian.js";
export { flattenBootImage } from "./flatten.js";
export { E820, pcMemoryMap, type MemoryMapEntry } from "./memory-map.js";

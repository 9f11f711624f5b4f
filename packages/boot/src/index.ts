// Public entry of @ringzero/boot: how machines start, and what they are told about themselves.
// The default export is the boot plugin, for a registry.

export type { AcpiUart } from "./acpi/dsdt.js";
export { type AcpiOptions, type AcpiTables, buildAcpiTables } from "./acpi/tables.js";
export { default, directBoot, elf, firmware, linux, loadBoot, multiboot } from "./boot-source.js";
export { type BusyboxInitramfsOptions, busyboxInitramfs, USERSPACE_BANNER } from "./busybox-initramfs.js";
export { CpioArchive } from "./cpio.js";
export { type DebianImages, type FetchOptions, type FetchProgress, fetchDebianImages } from "./debian.js";
export { flattenBootImage } from "./flatten.js";
export { E820, type MemoryMapEntry, pcMemoryMap } from "./memory-map.js";
export { buildMpTable, MP_TABLE_AT } from "./mp-table.js";
export { PLATFORM_SETUP_AT } from "./platform-setup.js";
export { buildSmbios, SMBIOS_AT } from "./smbios.js";

// The four ways to start a machine, as plain data for a MachineSpec, and the plugin that turns such data into an image.
// What must stay true: a BootSource is JSON; nothing reads a file before `loadBoot`, and only the loader of the kind at hand is imported.

import {
  type BootImage,
  type BootSource,
  definePlugin,
  type ElfBoot,
  type FirmwareBoot,
  type LinuxBoot,
  type MachineShape,
  type MultibootBoot,
  RingzeroError,
} from "@ringzero/api";

/** Boot a Linux bzImage directly. `initrd` archives are concatenated in order. */
export function linux(options: Omit<LinuxBoot, "kind">): LinuxBoot {
  return { kind: "linux", ...options };
}

/** Boot an ELF kernel, such as a `vmlinux`, by its PVH entry. The first module is Linux' initrd. */
export function elf(options: Omit<ElfBoot, "kind">): ElfBoot {
  return { kind: "elf", ...options };
}

/** Boot a Multiboot 1 kernel. Each module is a path, optionally followed by a space and arguments. */
export function multiboot(options: Omit<MultibootBoot, "kind">): MultibootBoot {
  return { kind: "multiboot", ...options };
}

/** Start a firmware image at the reset vector. */
export function firmware(options: Omit<FirmwareBoot, "kind">): FirmwareBoot {
  return { kind: "firmware", ...options };
}

/**
 * Read and check the files of a source and lay them out for a machine.
 * @throws RingzeroError `BOOT_FILE_MISSING`, `BOOT_FILE_UNREADABLE`, `BOOT_FILE_INVALID`, `BOOT_FILE_TRUNCATED`: about one file, named with its field
 * @throws RingzeroError `BOOT_UNSUPPORTED` when a kernel needs what is not offered
 * @throws RingzeroError `BOOT_NO_ROOM` when it does not fit into the machine's memory
 * @throws RingzeroError `BOOT_COMMAND_LINE` when the command line is too long or holds a zero byte
 */
export async function loadBoot(source: BootSource, shape: MachineShape): Promise<BootImage> {
  switch (source.kind) {
    case "linux":
      return (await import("./linux.js")).loadLinux(source, shape);
    case "elf":
      return (await import("./pvh.js")).loadPvh(source, shape);
    case "multiboot":
      return (await import("./multiboot.js")).loadMultiboot(source, shape);
    case "firmware":
      return (await import("./firmware.js")).loadFirmware(source, shape);
    default: {
      const other: { readonly kind: unknown } = source satisfies never;
      throw new RingzeroError(
        "BOOT_UNSUPPORTED",
        `boot.kind: ${JSON.stringify(other.kind)} is not linux, elf, multiboot or firmware`,
      );
    }
  }
}

export const directBoot = definePlugin({
  name: "direct-boot",
  kind: "boot",
  api: { min: 1, max: 1 },
  summary: "Linux bzImage, ELF with PVH, Multiboot 1, firmware images",
  module: import.meta.url,
  sources: ["linux", "elf", "multiboot", "firmware"],
  prepare: () => Promise.all([import("./linux.js"), import("./pvh.js"), import("./multiboot.js"), import("./firmware.js")]),
  load: loadBoot,
});

export default directBoot;

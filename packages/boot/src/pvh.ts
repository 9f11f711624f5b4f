// Boot of an ELF kernel that carries a PVH note: 32-bit protected mode at the address in the note, EBX at a start-info structure.
// Sources: Xen public headers documentation, "x86/HVM direct boot ABI" and "hvm_start_info"; Linux builds such a kernel as `vmlinux`.

import type { BootImage, MachineShape } from "@ringzero/api";
import { buildAcpiTables } from "./acpi/tables.js";
import { type BootFile, bootFileError, readBootFile } from "./boot-file.js";
import { parseElf } from "./elf-file.js";
import { flatGdt, protectedModeEntry } from "./entry-state.js";
import { encodeCommandLine } from "./linux.js";
import { MemoryPlan, pcMemoryMap } from "./memory-map.js";
import { RESET_STUB_AT, resetStub } from "./reset-stub.js";
import { buildMpTable, MP_TABLE_AT } from "./mp-table.js";
import { throughPlatformSetup } from "./platform-setup.js";
import { buildSmbios, SMBIOS_AT } from "./smbios.js";

const XEN_ELFNOTE_PHYS32_ENTRY = 18;
const START_INFO_MAGIC = 0x336ec578;
const START_INFO_BYTES = 56;
const MODULE_BYTES = 32;
const MAP_ENTRY_BYTES = 24;
const COMMAND_LINE_MAX_BYTES = 0xffff;

const GDT_AT = 0x6000;
const START_INFO_AT = 0x7000; // followed by the module list and the memory map, within one page
const COMMAND_LINE_AT = 0x20000;

/** @throws RingzeroError `BOOT_FILE_*`, `BOOT_UNSUPPORTED` without a PVH note, `BOOT_NO_ROOM`, `BOOT_COMMAND_LINE` */
export async function loadPvh(
  source: { readonly kernel: string; readonly modules?: readonly string[]; readonly append?: string },
  shape: MachineShape,
): Promise<BootImage> {
  const [kernel, ...modules] = await Promise.all([
    readBootFile(source.kernel, "boot.kernel"),
    ...(source.modules ?? []).map((path, i) => readBootFile(path, `boot.modules[${i}]`)),
  ]);
  return pvhImage({ kernel: kernel!, modules, append: source.append ?? "" }, shape);
}

/** The same from bytes at hand. A Linux guest takes its first module as the initrd. */
export function pvhImage(
  files: { readonly kernel: BootFile; readonly modules: readonly BootFile[]; readonly append: string },
  shape: MachineShape,
): BootImage {
  const elf = parseElf(files.kernel);
  const note = elf.notes.find((candidate) => candidate.name === "Xen" && candidate.type === XEN_ELFNOTE_PHYS32_ENTRY);
  if (!note || note.content.length < 4) {
    throw bootFileError(
      "BOOT_UNSUPPORTED",
      files.kernel,
      "has no PVH entry (the ELF note XEN_ELFNOTE_PHYS32_ENTRY)",
      "build Linux with CONFIG_PVH=y, or boot it as a bzImage, or by multiboot()",
    );
  }
  const entry = new DataView(note.content.buffer, note.content.byteOffset).getUint32(0, true);
  if (!elf.segments.some((segment) => entry >= segment.at && entry < segment.at + segment.spanBytes)) {
    throw bootFileError(
      "BOOT_FILE_INVALID",
      files.kernel,
      `has its PVH entry 0x${entry.toString(16)} outside every segment`,
      "use an intact kernel",
    );
  }

  const plan = new MemoryPlan(shape);
  for (const [i, segment] of elf.segments.entries()) {
    plan.place(`segment ${i} of ${files.kernel.path}`, segment.at, segment.bytes, segment.spanBytes, "zeros");
  }
  const modules = files.modules.map((file) => ({
    at: plan.placeHigh(`the module ${file.path}`, file.bytes),
    sizeBytes: file.bytes.length,
  }));
  plan.place("the command line", COMMAND_LINE_AT, encodeCommandLine(files.append, COMMAND_LINE_MAX_BYTES, files.kernel));
  const acpi = buildAcpiTables({ cpus: shape.cpus, ...(shape.uarts ? { uarts: shape.uarts } : {}) });
  plan.place("the ACPI tables", acpi.at, acpi.bytes);
  plan.place("the SMBIOS tables", SMBIOS_AT, buildSmbios(shape.memoryBytes));
  plan.place("the MP table", MP_TABLE_AT, buildMpTable(shape.cpus));
  plan.place("the reset code", RESET_STUB_AT, resetStub());
  plan.place("the start info", START_INFO_AT, startInfo(modules, acpi.rsdpAt, shape));
  plan.place("the GDT", GDT_AT, flatGdt(false));
  const registers = throughPlatformSetup(plan, shape, protectedModeEntry(entry, GDT_AT, { rbx: START_INFO_AT }));
  return { ranges: plan.ranges, rom: [], registers };
}

function startInfo(modules: readonly { at: number; sizeBytes: number }[], rsdpAt: number, shape: MachineShape): Uint8Array {
  const map = pcMemoryMap(shape.memoryBytes);
  const modulesAt = START_INFO_BYTES + 8;
  const mapAt = modulesAt + modules.length * MODULE_BYTES;
  const view = new DataView(new ArrayBuffer(mapAt + map.length * MAP_ENTRY_BYTES));
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  view.setUint32(0, START_INFO_MAGIC, true);
  view.setUint32(4, 1, true); // version with a memory map
  view.setUint32(12, modules.length, true);
  u64(16, modules.length === 0 ? 0 : START_INFO_AT + modulesAt);
  u64(24, COMMAND_LINE_AT);
  u64(32, rsdpAt);
  u64(40, START_INFO_AT + mapAt);
  view.setUint32(48, map.length, true);
  modules.forEach((module, i) => {
    u64(modulesAt + i * MODULE_BYTES, module.at);
    u64(modulesAt + i * MODULE_BYTES + 8, module.sizeBytes);
  });
  map.forEach((entry, i) => {
    const at = mapAt + i * MAP_ENTRY_BYTES;
    u64(at, entry.at);
    u64(at + 8, entry.sizeBytes);
    view.setUint32(at + 16, entry.type, true); // XEN_HVM_MEMMAP_TYPE_* are the E820 numbers
  });
  return new Uint8Array(view.buffer);
}

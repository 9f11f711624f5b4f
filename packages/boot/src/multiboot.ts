// Boot by Multiboot 1: find the header, load by its addresses or as ELF, build the information structure, enter 32-bit protected mode.
// Source: "Multiboot Specification version 0.6.96". What must stay true: what the structure announces in `flags` is there, and nothing else.

import type { BootImage, MachineShape } from "@ringzero/api";
import { buildAcpiTables } from "./acpi/tables.js";
import { BinaryReader, type BootFile, bootFileError, readBootFile } from "./boot-file.js";
import { isElf, parseElf } from "./elf-file.js";
import { flatGdt, protectedModeEntry } from "./entry-state.js";
import { encodeCommandLine } from "./linux.js";
import { biosDataArea, BIOS_DATA_AREA_AT } from "./bios-data-area.js";
import { lowMemoryEnd, MemoryPlan, pcMemoryMap } from "./memory-map.js";
import { RESET_STUB_AT, resetStub } from "./reset-stub.js";
import { buildMpTable, MP_TABLE_AT } from "./mp-table.js";
import { throughPlatformSetup } from "./platform-setup.js";
import { buildSmbios, SMBIOS_AT } from "./smbios.js";

const HEADER_MAGIC = 0x1badb002;
const ENTRY_MAGIC = 0x2badb002;
const SEARCH_BYTES = 8192;
const FLAG_VIDEO = 1 << 2;
const FLAG_ADDRESSES = 1 << 16; // "the a.out kludge"
const KNOWN_REQUIRED_FLAGS = 0x3; // page-aligned modules, memory information

const GDT_AT = 0x6000;
const INFO_AT = 0x7000; // one page: the structure, the module list, the memory map
const INFO_BYTES = 120;
const STRINGS_AT = 0x20000;
const COMMAND_LINE_MAX_BYTES = 0x7fff;
const BOOT_LOADER_NAME = "Ringzero\0";

/** A module, and the words that go with it: "path argument argument", as in a boot menu; the path is the first word. */
export interface MultibootFiles {
  readonly kernel: BootFile;
  readonly modules: readonly { readonly file: BootFile; readonly commandLine: string }[];
  readonly append: string;
}

/**
 * @param source.modules  each a path, optionally followed by a space and arguments that become part of the module's string
 * @throws RingzeroError `BOOT_FILE_*`, `BOOT_UNSUPPORTED`, `BOOT_NO_ROOM`, `BOOT_COMMAND_LINE`
 */
export async function loadMultiboot(
  source: { readonly kernel: string; readonly modules?: readonly string[]; readonly append?: string },
  shape: MachineShape,
): Promise<BootImage> {
  const [kernel, ...modules] = await Promise.all([
    readBootFile(source.kernel, "boot.kernel"),
    ...(source.modules ?? []).map((line, i) => readBootFile(line.split(" ", 1)[0]!, `boot.modules[${i}]`)),
  ]);
  return multibootImage(
    {
      kernel: kernel!,
      modules: modules.map((file, i) => ({ file, commandLine: source.modules![i]! })),
      append: source.append ?? "",
    },
    shape,
  );
}

/** The same from bytes at hand. */
export function multibootImage(files: MultibootFiles, shape: MachineShape): BootImage {
  const header = findMultibootHeader(files.kernel);
  const plan = new MemoryPlan(shape);
  const entry = placeKernel(header, files.kernel, plan);

  // Strings: the loader's name, the kernel's command line, one line for each module.
  const strings: Uint8Array[] = [];
  let stringsEnd = STRINGS_AT;
  const putString = (bytes: Uint8Array): number => {
    const at = stringsEnd;
    strings.push(bytes);
    stringsEnd += bytes.length;
    return at;
  };
  const loaderNameAt = putString(Buffer.from(BOOT_LOADER_NAME, "latin1"));
  const line = files.append === "" ? files.kernel.path : `${files.kernel.path} ${files.append}`;
  const commandLineAt = putString(encodeCommandLine(line, COMMAND_LINE_MAX_BYTES, files.kernel));
  const modules = files.modules.map(({ file, commandLine }) => ({
    at: plan.placeHigh(`the module ${file.path}`, file.bytes),
    sizeBytes: file.bytes.length,
    stringAt: putString(encodeCommandLine(commandLine, COMMAND_LINE_MAX_BYTES, file)),
  }));
  plan.place("the command lines", STRINGS_AT, Buffer.concat(strings));

  const acpi = buildAcpiTables({ cpus: shape.cpus, ...(shape.uarts ? { uarts: shape.uarts } : {}) });
  plan.place("the ACPI tables", acpi.at, acpi.bytes);
  plan.place("the SMBIOS tables", SMBIOS_AT, buildSmbios(shape.memoryBytes));
  plan.place("the BIOS data area", BIOS_DATA_AREA_AT, biosDataArea(shape));
  plan.place("the MP table", MP_TABLE_AT, buildMpTable(shape.cpus));
  plan.place("the reset code", RESET_STUB_AT, resetStub());
  plan.place("the Multiboot information", INFO_AT, information(loaderNameAt, commandLineAt, modules, shape));
  plan.place("the GDT", GDT_AT, flatGdt(false));
  const state = protectedModeEntry(entry, GDT_AT, { rax: ENTRY_MAGIC, rbx: INFO_AT });
  const registers = throughPlatformSetup(plan, shape, state);
  return { ranges: plan.ranges, rom: [], registers };
}

export interface MultibootHeader {
  /** Offset of the header in the file. */
  readonly offset: number;
  readonly flags: number;
  /** Set when flag 16 is: where to load what, by the header's own word. */
  readonly addresses: {
    readonly header: number;
    readonly load: number;
    readonly loadEnd: number;
    readonly bssEnd: number;
    readonly entry: number;
  } | null;
}

/**
 * The first header within the first 8 KiB, on a multiple of 4, whose checksum is right.
 * @throws RingzeroError `BOOT_FILE_INVALID` when there is none
 * @throws RingzeroError `BOOT_FILE_TRUNCATED` when it announces addresses that the file ends before
 * @throws RingzeroError `BOOT_UNSUPPORTED` when it requires what is not offered
 */
export function findMultibootHeader(file: BootFile): MultibootHeader {
  const reader = new BinaryReader(file, "the Multiboot header");
  const end = Math.min(SEARCH_BYTES, reader.sizeBytes);
  for (let offset = 0; offset + 12 <= end; offset += 4) {
    if (reader.u32(offset) !== HEADER_MAGIC) continue;
    const flags = reader.u32(offset + 4);
    if (((HEADER_MAGIC + flags + reader.u32(offset + 8)) & 0xffffffff) !== 0) continue;
    if ((flags & FLAG_VIDEO) !== 0) {
      throw bootFileError(
        "BOOT_UNSUPPORTED",
        file,
        "requires a video mode from its boot loader, and this machine has no display",
        "build it without Multiboot flag 2",
      );
    }
    if ((flags & 0xffff & ~KNOWN_REQUIRED_FLAGS) !== 0) {
      throw bootFileError(
        "BOOT_UNSUPPORTED",
        file,
        `requires Multiboot features 0x${(flags & 0xffff).toString(16)} that are not offered`,
        "build it without them",
      );
    }
    const word = (index: number) => reader.u32(offset + 12 + index * 4);
    const addresses =
      (flags & FLAG_ADDRESSES) === 0
        ? null
        : { header: word(0), load: word(1), loadEnd: word(2), bssEnd: word(3), entry: word(4) };
    return { offset, flags, addresses };
  }
  throw bootFileError(
    "BOOT_FILE_INVALID",
    file,
    `has no Multiboot header in its first ${end} bytes`,
    "pass a Multiboot 1 kernel; a Linux bzImage boots with linux(), an ELF kernel with a PVH note with elf()",
  );
}

/** @returns the entry address */
function placeKernel(header: MultibootHeader, file: BootFile, plan: MemoryPlan): number {
  const refuse = (why: string) =>
    bootFileError("BOOT_FILE_INVALID", file, `has a Multiboot header that cannot be: ${why}`, "build it again");
  if (header.addresses) {
    const { header: headerAt, load, loadEnd, bssEnd, entry } = header.addresses;
    if (load > headerAt) throw refuse("it would be loaded behind its own header");
    const fileStart = header.offset - (headerAt - load);
    if (fileStart < 0) throw refuse("its load address is before the start of the file");
    const sizeBytes = loadEnd === 0 ? file.bytes.length - fileStart : loadEnd - load;
    if (sizeBytes <= 0) throw refuse("its load end is before its load address");
    const bytes = new BinaryReader(file, "the kernel's text and data").slice(fileStart, sizeBytes);
    const spanBytes = bssEnd === 0 ? sizeBytes : bssEnd - load;
    if (spanBytes < sizeBytes) throw refuse("its bss ends before its data");
    if (entry < load || entry >= load + spanBytes) throw refuse("its entry is outside of what it loads");
    plan.place(`the kernel ${file.path}`, load, bytes, spanBytes, "zeros");
    return entry;
  }
  if (!isElf(file.bytes)) throw refuse("it gives no addresses, and the file is not ELF");
  const elf = parseElf(file);
  for (const [i, segment] of elf.segments.entries()) {
    plan.place(`segment ${i} of ${file.path}`, segment.at, segment.bytes, segment.spanBytes, "zeros");
  }
  // The entry of an ELF kernel may be linear; Multiboot enters without paging, so it is taken to its segment's physical address.
  const home = elf.segments.find(
    (segment) => elf.entry >= segment.linear && elf.entry < segment.linear + BigInt(segment.spanBytes),
  );
  if (!home) throw refuse("its ELF entry is outside every segment");
  return home.at + Number(elf.entry - home.linear);
}

/** The information structure, the module list and the memory map, in this order. */
function information(
  loaderNameAt: number,
  commandLineAt: number,
  modules: readonly { at: number; sizeBytes: number; stringAt: number }[],
  shape: MachineShape,
): Uint8Array {
  const MEMORY = 1 << 0;
  const COMMAND_LINE = 1 << 2;
  const MODULES = 1 << 3;
  const MEMORY_MAP = 1 << 6;
  const LOADER_NAME = 1 << 9;
  const MODULE_BYTES = 16;
  const MAP_ENTRY_BYTES = 24; // its size field counts 20, itself not included
  const map = pcMemoryMap(shape.memoryBytes);
  const modulesAt = INFO_BYTES;
  const mapAt = modulesAt + modules.length * MODULE_BYTES;
  const view = new DataView(new ArrayBuffer(mapAt + map.length * MAP_ENTRY_BYTES));
  const u32 = (at: number, value: number) => view.setUint32(at, value, true);
  u32(0, MEMORY | COMMAND_LINE | MODULES | MEMORY_MAP | LOADER_NAME);
  u32(4, map[0]!.sizeBytes / 1024); // mem_lower: KiB from 0
  u32(8, (lowMemoryEnd(shape) - 0x100000) / 1024); // mem_upper: KiB from 1 MiB to the first hole
  u32(16, commandLineAt);
  u32(20, modules.length);
  u32(24, INFO_AT + modulesAt);
  u32(44, map.length * MAP_ENTRY_BYTES);
  u32(48, INFO_AT + mapAt);
  u32(64, loaderNameAt);
  modules.forEach((module, i) => {
    const at = modulesAt + i * MODULE_BYTES;
    u32(at, module.at);
    u32(at + 4, module.at + module.sizeBytes);
    u32(at + 8, module.stringAt);
  });
  map.forEach((entry, i) => {
    const at = mapAt + i * MAP_ENTRY_BYTES;
    u32(at, 20);
    view.setBigUint64(at + 4, BigInt(entry.at), true);
    view.setBigUint64(at + 12, BigInt(entry.sizeBytes), true);
    u32(at + 20, entry.type);
  });
  return new Uint8Array(view.buffer);
}

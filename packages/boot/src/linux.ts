// Direct boot of a Linux bzImage, as a boot loader would that speaks "The Linux/x86 Boot Protocol": the kernel enters at its
// 64-bit entry point with identity page tables and a filled boot_params, or at the 32-bit one when it is a 32-bit kernel.
// What must stay true: everything the kernel touches before it reads the memory map lies in RAM and is identity-mapped.

import type { BootImage, MachineShape } from "@ringzero/api";
import { PC_ADDRESSES } from "@ringzero/api";
import { buildAcpiTables } from "./acpi/tables.js";
import { type BootFile, bootFileError, readBootFile } from "./boot-file.js";
import { type BzImage, parseBzImage, SETUP_HEADER_AT } from "./bzimage.js";
import { flatGdt, identityPageTables, longModeEntry, protectedModeEntry } from "./entry-state.js";
import { checkInitrd } from "./initrd.js";
import { lowMemoryEnd, MemoryPlan, pcMemoryMap } from "./memory-map.js";
import { RESET_STUB_AT, resetStub } from "./reset-stub.js";
import { buildMpTable, MP_TABLE_AT } from "./mp-table.js";
import { throughPlatformSetup } from "./platform-setup.js";
import { buildSmbios, SMBIOS_AT } from "./smbios.js";

/** Where the loader's own things go; conventional memory, which the kernel takes over once it has copied them. */
const GDT_AT = 0x6000;
const BOOT_PARAMS_AT = 0x7000;
const STACK_TOP = 0x9000; // one page below the tables; the entry code may push before it has a stack of its own
const PAGE_TABLES_AT = 0x9000; // 6 pages
const COMMAND_LINE_AT = 0x20000;
const ENTRY_64_OFFSET = 0x200;

export interface LinuxBootFiles {
  readonly kernel: BootFile;
  /** Concatenated in order, each padded to a multiple of 4, as the kernel's unpacker wants. */
  readonly initrds: readonly BootFile[];
  /** Kernel command line. */
  readonly append: string;
}

/** Whether these bytes look like a bzImage, for callers that take any kernel. */
export { parseBzImage } from "./bzimage.js";

/**
 * @param kernelPath   a bzImage
 * @param initrdPaths  initramfs archives, compressed or not
 * @throws RingzeroError `BOOT_FILE_*`, `BOOT_UNSUPPORTED`, `BOOT_NO_ROOM`, `BOOT_COMMAND_LINE`
 */
export async function loadLinux(
  source: { readonly kernel: string; readonly initrd?: readonly string[]; readonly append?: string },
  shape: MachineShape,
): Promise<BootImage> {
  const [kernel, ...initrds] = await Promise.all([
    readBootFile(source.kernel, "boot.kernel"),
    ...(source.initrd ?? []).map((path, i) => readBootFile(path, `boot.initrd[${i}]`)),
  ]);
  await Promise.all(initrds.map(checkInitrd));
  return linuxImage({ kernel: kernel!, initrds, append: source.append ?? "" }, shape);
}

/** The same from bytes at hand. The initrds are taken as they are. */
export function linuxImage(files: LinuxBootFiles, shape: MachineShape): BootImage {
  const kernel = parseBzImage(files.kernel);
  const plan = new MemoryPlan(shape);
  const kernelAt = chooseKernelAddress(kernel, files.kernel, shape);
  // Reserve what the kernel uses while it unpacks itself, from where it will run.
  const runAt = kernel.relocatable ? Math.max(kernelAt, kernel.preferredAddress) : kernelAt;
  plan.place(`the kernel ${files.kernel.path}`, kernelAt, kernel.payload, runAt + kernel.initSizeBytes - kernelAt);

  const commandLine = encodeCommandLine(files.append, kernel.commandLineMaxBytes, files.kernel);
  plan.place("the command line", COMMAND_LINE_AT, commandLine);

  const initrd = concatenateInitrds(files.initrds);
  const initrdAt = initrd.length === 0 ? 0 : plan.placeHigh("the initrd", initrd, kernel.initrdLastByte + 1);

  const acpi = buildAcpiTables({ cpus: shape.cpus, ...(shape.uarts ? { uarts: shape.uarts } : {}) });
  plan.place("the ACPI tables", acpi.at, acpi.bytes);
  plan.place("the SMBIOS tables", SMBIOS_AT, buildSmbios(shape.memoryBytes));
  plan.place("the MP table", MP_TABLE_AT, buildMpTable(shape.cpus));
  plan.place("the reset code", RESET_STUB_AT, resetStub());
  plan.place("the boot parameters", BOOT_PARAMS_AT, bootParams(kernel, kernelAt, initrdAt, initrd.length, acpi.rsdpAt, shape));
  plan.place("the GDT", GDT_AT, flatGdt(kernel.has64BitEntry));

  const values = { rsi: BOOT_PARAMS_AT, rsp: STACK_TOP };
  if (!kernel.has64BitEntry) {
    const registers = throughPlatformSetup(plan, shape, protectedModeEntry(kernelAt, GDT_AT, values));
    return { ranges: plan.ranges, rom: [], registers };
  }
  plan.place("the page tables", PAGE_TABLES_AT, identityPageTables(PAGE_TABLES_AT));
  const entry = longModeEntry(kernelAt + ENTRY_64_OFFSET, GDT_AT, PAGE_TABLES_AT, values);
  const registers = throughPlatformSetup(plan, shape, entry);
  return { ranges: plan.ranges, rom: [], registers };
}

/** The preferred address, where the kernel needs not move itself; 1 MiB for kernels that do not say. */
function chooseKernelAddress(kernel: BzImage, file: BootFile, shape: MachineShape): number {
  const at = kernel.version >= 0x20a ? kernel.preferredAddress : PC_ADDRESSES.highMemory;
  const end = at + kernel.initSizeBytes;
  if (at < PC_ADDRESSES.highMemory || at % kernel.alignment !== 0) {
    throw bootFileError(
      "BOOT_FILE_INVALID",
      file,
      `asks to be loaded at the impossible address 0x${at.toString(16)}`,
      "use an intact kernel",
    );
  }
  if (end > lowMemoryEnd(shape)) {
    throw bootFileError(
      "BOOT_NO_ROOM",
      file,
      `needs memory up to ${Math.ceil(end / 0x100000)} MiB to unpack itself, and the machine has ${Math.floor(shape.memoryBytes / 0x100000)} MiB`,
      `give the machine at least ${Math.ceil(end / 0x100000) + 16} MiB`,
    );
  }
  return at;
}

/** Zero-terminated Latin-1 bytes, as the kernel reads them. */
export function encodeCommandLine(
  append: string,
  maxBytes: number,
  kernel: { readonly path: string; readonly field: string },
): Uint8Array {
  const field = { path: kernel.path, field: "boot.append" };
  if (append.includes("\0")) throw bootFileError("BOOT_COMMAND_LINE", field, "the command line holds a zero byte", "remove it");
  const bytes = Buffer.from(append, "utf8");
  if (bytes.length > maxBytes) {
    throw bootFileError(
      "BOOT_COMMAND_LINE",
      field,
      `the command line has ${bytes.length} bytes, and this kernel takes ${maxBytes}`,
      "shorten it",
    );
  }
  return Uint8Array.from([...bytes, 0]);
}

function concatenateInitrds(files: readonly BootFile[]): Uint8Array {
  if (files.length === 1) return files[0]!.bytes;
  const padded = files.map((file) => Math.ceil(file.bytes.length / 4) * 4);
  const all = new Uint8Array(padded.reduce((sum, size) => sum + size, 0));
  let at = 0;
  files.forEach((file, i) => {
    all.set(file.bytes, at);
    at += padded[i]!;
  });
  return all;
}

/** struct boot_params, "the zero page". Offsets: Linux documentation, "Zero Page". */
function bootParams(
  kernel: BzImage,
  kernelAt: number,
  initrdAt: number,
  initrdBytes: number,
  rsdpAt: number,
  shape: MachineShape,
): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  bytes.set(kernel.setupHeader, SETUP_HEADER_AT);
  const KEEP_SEGMENTS = 0x40; // the 32-bit entry need not reload them
  view.setUint8(0x210, 0xff); // type_of_loader: without an assigned number
  view.setUint8(0x211, view.getUint8(0x211) | KEEP_SEGMENTS);
  view.setUint16(0x1fa, 0xffff, true); // vid_mode: "normal"
  view.setUint32(0x214, kernelAt, true); // code32_start
  view.setUint32(0x218, initrdAt, true); // ramdisk_image
  view.setUint32(0x21c, initrdBytes, true); // ramdisk_size
  view.setUint32(0x228, COMMAND_LINE_AT, true); // cmd_line_ptr
  view.setUint32(0x070, rsdpAt, true); // acpi_rsdp_addr; ignored before protocol 2.14, which scans for it
  const map = pcMemoryMap(shape.memoryBytes);
  view.setUint8(0x1e8, map.length);
  map.forEach((entry, i) => {
    const at = 0x2d0 + i * 20;
    view.setBigUint64(at, BigInt(entry.at), true);
    view.setBigUint64(at + 8, BigInt(entry.sizeBytes), true);
    view.setUint32(at + 16, entry.type, true);
  });
  // Memory sizes of the pre-E820 interfaces, for what still reads them: KiB above 1 MiB, at most 64 MiB and 4 GiB.
  const extendedKib = (lowMemoryEnd(shape) - PC_ADDRESSES.highMemory) / 1024;
  view.setUint16(0x002, Math.min(extendedKib, 0xfc00), true);
  view.setUint32(0x1e0, extendedKib, true);
  return bytes;
}

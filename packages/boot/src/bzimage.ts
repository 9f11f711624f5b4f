// Reads the setup header of a Linux bzImage. Source: "The Linux/x86 Boot Protocol", "The Real-Mode Kernel Header".
// It decides nothing about placement; linux.ts does.

import { BinaryReader, type BootFile, bootFileError } from "./boot-file.js";

/** Offsets in the file, and equally in struct boot_params. */
export const SETUP_HEADER_AT = 0x1f1;
const BOOT_FLAG = 0x1fe;
const JUMP = 0x200;
const MAGIC = 0x202;
const VERSION = 0x206;
const LOADFLAGS = 0x211;
const INITRD_ADDR_MAX = 0x22c;
const KERNEL_ALIGNMENT = 0x230;
const RELOCATABLE = 0x234;
const XLOADFLAGS = 0x236;
const CMDLINE_SIZE = 0x238;
const PREF_ADDRESS = 0x258;
const INIT_SIZE = 0x260;
const SYSSIZE = 0x1f4;

const MAGIC_HDRS = 0x53726448;
const OLDEST_VERSION = 0x206; // the first with cmdline_size; Linux 2.6.22
const LOADED_HIGH = 0x01;
const XLF_KERNEL_64 = 0x01;

export interface BzImage {
  /** Boot protocol version, 0x020f for 2.15. */
  readonly version: number;
  /** Header bytes from 0x1f1 to its end, to be copied to the same offset of boot_params. */
  readonly setupHeader: Uint8Array;
  /** The protected-mode kernel: what is loaded. */
  readonly payload: Uint8Array;
  /** Whether the 64-bit entry at load address + 0x200 exists. */
  readonly has64BitEntry: boolean;
  readonly relocatable: boolean;
  /** Power of two. */
  readonly alignment: number;
  /** Where the kernel wants to be. */
  readonly preferredAddress: number;
  /** Memory that it needs from its run address on, before it reads the memory map. */
  readonly initSizeBytes: number;
  /** Last byte that an initrd may have. */
  readonly initrdLastByte: number;
  /** Longest command line, without the final zero. */
  readonly commandLineMaxBytes: number;
}

/**
 * @throws RingzeroError `BOOT_FILE_INVALID` when it is not a bzImage
 * @throws RingzeroError `BOOT_FILE_TRUNCATED` when it is one that ends early
 * @throws RingzeroError `BOOT_UNSUPPORTED` for a zImage, or a protocol older than 2.06
 */
export function parseBzImage(file: BootFile): BzImage {
  const reader = new BinaryReader(file, "the setup header of a Linux kernel");
  // A file too short to hold the signatures is called truncated only if what it has agrees with a kernel.
  if (reader.sizeBytes < MAGIC + 4 && (reader.sizeBytes < BOOT_FLAG + 2 || reader.u16(BOOT_FLAG) !== 0xaa55)) {
    throw notAKernel(file, `it has only ${reader.sizeBytes} bytes`);
  }
  if (reader.u16(BOOT_FLAG) !== 0xaa55) throw notAKernel(file, "the boot signature 55 AA is not at offset 510");
  if (reader.u32(MAGIC) !== MAGIC_HDRS) throw notAKernel(file, 'the magic "HdrS" is not at offset 514');

  const version = reader.u16(VERSION);
  if (version < OLDEST_VERSION) {
    throw bootFileError(
      "BOOT_UNSUPPORTED",
      file,
      `speaks boot protocol ${version >> 8}.${String(version & 0xff).padStart(2, "0")}, and 2.06 is the oldest that is loaded`,
      "use Linux 2.6.22 or later",
    );
  }
  if ((reader.u8(LOADFLAGS) & LOADED_HIGH) === 0) {
    throw bootFileError("BOOT_UNSUPPORTED", file, "is a zImage, which loads below 1 MiB", "build a bzImage");
  }

  const headerEnd = MAGIC + reader.u8(JUMP + 1);
  const setupBytes = ((reader.u8(SETUP_HEADER_AT) || 4) + 1) * 512;
  if (headerEnd > setupBytes) throw notAKernel(file, "its setup header is longer than its setup code");
  const setupHeader = reader.slice(SETUP_HEADER_AT, headerEnd - SETUP_HEADER_AT);
  reader.require(0, setupBytes, "the kernel's setup code");
  const payloadBytes = reader.u32(SYSSIZE) * 16;
  if (payloadBytes === 0) throw notAKernel(file, "its protected-mode part is said to have no bytes");
  reader.require(setupBytes, payloadBytes - 15, "the kernel's protected-mode part"); // whole paragraphs: the last may end early

  // Fields that the header is too old (or too short) to have.
  const has = (since: number, end: number) => version >= since && headerEnd >= end;
  const relocatable = reader.u8(RELOCATABLE) !== 0;
  const alignment = reader.u32(KERNEL_ALIGNMENT) || 1;
  if ((alignment & (alignment - 1)) !== 0) throw notAKernel(file, `its alignment ${alignment} is not a power of two`);
  return {
    version,
    setupHeader,
    payload: file.bytes.subarray(setupBytes),
    has64BitEntry: has(0x20c, XLOADFLAGS + 2) && (reader.u16(XLOADFLAGS) & XLF_KERNEL_64) !== 0,
    relocatable,
    alignment,
    preferredAddress: has(0x20a, PREF_ADDRESS + 8) ? reader.u64(PREF_ADDRESS) : 0x100000,
    initSizeBytes: Math.max(has(0x20a, INIT_SIZE + 4) ? reader.u32(INIT_SIZE) : 0, file.bytes.length - setupBytes),
    initrdLastByte: reader.u32(INITRD_ADDR_MAX),
    commandLineMaxBytes: reader.u32(CMDLINE_SIZE),
  };
}

function notAKernel(file: BootFile, why: string) {
  const compressed = file.bytes[0] === 0x1f && file.bytes[1] === 0x8b;
  const elf = file.bytes[0] === 0x7f && file.bytes[1] === 0x45 && file.bytes[2] === 0x4c && file.bytes[3] === 0x46;
  const remedy = elf
    ? "it is an ELF file: boot it with elf() or multiboot()"
    : compressed
      ? "it is compressed with gzip: unpack it first"
      : "pass a Linux kernel such as /boot/vmlinuz-*";
  return bootFileError("BOOT_FILE_INVALID", file, `is not a Linux bzImage: ${why}`, remedy);
}

// What kind of kernel a file is, by its first bytes, so that `--kernel` takes all three kinds that Ringzero boots directly.
// What must stay true: it only chooses the loader; whether the file is intact is the loader's to say, with its better messages.

import { open } from "node:fs/promises";

/** The values of `boot.kind` that start from a kernel file. */
export const KERNEL_KINDS = ["linux", "elf", "multiboot"] as const;
export type KernelKind = (typeof KERNEL_KINDS)[number];

const SNIFFED_BYTES = 8192; // where a Multiboot header must be: "OS image format"
const MULTIBOOT_MAGIC = 0x1badb002;
const ELF_MAGIC = 0x464c457f;
const BOOT_FLAG_AT = 0x1fe; // "The Real-Mode Kernel Header"
const BOOT_FLAG = 0xaa55;
const HDRS_AT = 0x202;
const HDRS = 0x53726448;

/**
 * The kind of the kernel that starts with these bytes, or null when it is none that is known.
 * A bzImage wins over a Multiboot header, and that over ELF: each is the more specific one.
 * @param head  the first 8192 bytes of the file, or all that it has
 */
export function sniffKernelKind(head: Uint8Array): KernelKind | null {
  const view = new DataView(head.buffer, head.byteOffset, Math.min(head.byteLength, SNIFFED_BYTES));
  const u32 = (at: number): number => (at + 4 <= view.byteLength ? view.getUint32(at, true) : 0);
  if (view.byteLength >= BOOT_FLAG_AT + 2 && view.getUint16(BOOT_FLAG_AT, true) === BOOT_FLAG) {
    // One that ends before its magic is called a Linux kernel too: then the loader says that it is truncated.
    if (view.byteLength < HDRS_AT + 4 || u32(HDRS_AT) === HDRS) return "linux";
  }
  for (let at = 0; at + 12 <= view.byteLength; at += 4) {
    if (u32(at) === MULTIBOOT_MAGIC && ((u32(at) + u32(at + 4) + u32(at + 8)) & 0xffffffff) === 0) return "multiboot";
  }
  return u32(0) === ELF_MAGIC ? "elf" : null;
}

/**
 * The same from a file.
 * @throws the file system's error when it cannot be opened or read
 */
export async function kernelKindOfFile(path: string): Promise<KernelKind | null> {
  const file = await open(path, "r");
  try {
    const head = Buffer.alloc(SNIFFED_BYTES);
    const { bytesRead } = await file.read(head, 0, SNIFFED_BYTES, 0);
    return sniffKernelKind(head.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

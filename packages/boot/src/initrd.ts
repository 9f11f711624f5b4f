// Tells whether a file can be an initrd, and whether it is whole, before a guest is started on it: a kernel that gets a
// truncated archive says so late, or panics without a word. Each format is checked as far as is cheap: a walk over the
// members of a cpio, the blocks of a zstd or lz4 stream, the footer of an xz; a gzip has to be inflated.

import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { BinaryReader, type BootFile, bootFileError } from "./boot-file.js";

const REMEDY_TRUNCATED = "fetch or build it again";

/**
 * @throws RingzeroError `BOOT_FILE_INVALID` when it is nothing that a kernel takes as an initrd
 * @throws RingzeroError `BOOT_FILE_TRUNCATED` when it ends early
 */
export async function checkInitrd(file: BootFile): Promise<void> {
  let at = 0;
  // An initramfs may be several archives, one after another, with zeros between; typically microcode, then the rest.
  for (;;) {
    while (at < file.bytes.length && file.bytes[at] === 0) at++;
    if (at >= file.bytes.length) {
      if (at > 0 && file.bytes.every((byte) => byte === 0)) throw notAnInitrd(file, "it holds nothing but zeros");
      return;
    }
    const format = detect(file.bytes.subarray(at));
    if (format === null) {
      throw notAnInitrd(
        file,
        at === 0 ? "it does not start like a cpio archive or a compressed one" : `what follows at offset ${at} is no archive`,
      );
    }
    if (format !== "cpio") {
      await checkCompressed(format, file, at);
      return; // what may follow a compressed member is the kernel's business
    }
    at = walkCpio(file, at);
  }
}

type Format = "cpio" | "gzip" | "xz" | "zstd" | "lz4" | "unchecked";

const MAGICS: readonly (readonly [Format, readonly number[]])[] = [
  ["cpio", [0x30, 0x37, 0x30, 0x37, 0x30, 0x31]], // 070701, newc
  ["cpio", [0x30, 0x37, 0x30, 0x37, 0x30, 0x32]], // 070702, newc with checksums
  ["gzip", [0x1f, 0x8b, 0x08]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["lz4", [0x02, 0x21, 0x4c, 0x18]], // the "legacy" framing, the only one the kernel reads
  ["unchecked", [0x42, 0x5a, 0x68]], // bzip2
  ["unchecked", [0x5d, 0x00, 0x00]], // lzma
  ["unchecked", [0x89, 0x4c, 0x5a, 0x4f]], // lzo
  ["unchecked", [0x68, 0x73, 0x71, 0x73]], // squashfs
  ["unchecked", [0x2d, 0x72, 0x6f, 0x6d, 0x31, 0x66, 0x73, 0x2d]], // romfs
  ["unchecked", [0x45, 0x3d, 0xcd, 0x28]], // cramfs
];

function detect(bytes: Uint8Array): Format | null {
  for (const [format, magic] of MAGICS) {
    if (magic.every((byte, i) => bytes[i] === byte)) return format;
  }
  const EXT2_MAGIC_AT = 0x438; // in the superblock of an old-style ramdisk
  return bytes[EXT2_MAGIC_AT] === 0x53 && bytes[EXT2_MAGIC_AT + 1] === 0xef ? "unchecked" : null;
}

/** @returns the offset after the trailer */
function walkCpio(file: BootFile, start: number): number {
  const reader = new BinaryReader(file, "a member of the cpio archive");
  const HEADER_BYTES = 110;
  const field = (at: number, index: number): number => {
    const digits = Buffer.from(reader.slice(at + 6 + index * 8, 8)).toString("latin1");
    if (!/^[0-9a-fA-F]{8}$/.test(digits)) throw notAnInitrd(file, `the cpio header at offset ${at} is damaged`);
    return Number.parseInt(digits, 16);
  };
  for (let at = start; ; ) {
    reader.require(at, HEADER_BYTES, "a header of the cpio archive");
    const magic = Buffer.from(reader.slice(at, 6)).toString("latin1");
    if (magic !== "070701" && magic !== "070702") throw notAnInitrd(file, `the cpio header at offset ${at} is damaged`);
    const dataBytes = field(at, 6);
    const nameBytes = field(at, 11);
    const name = Buffer.from(reader.slice(at + HEADER_BYTES, nameBytes, "a name in the cpio archive")).toString("latin1");
    const dataAt = align4(at + HEADER_BYTES + nameBytes);
    if (name === "TRAILER!!!\0") return Math.min(dataAt, reader.sizeBytes);
    reader.require(dataAt, dataBytes, `"${name.replace(/\0$/, "")}" in the cpio archive`);
    at = align4(dataAt + dataBytes);
  }
}

const align4 = (at: number): number => Math.ceil(at / 4) * 4;

async function checkCompressed(format: Exclude<Format, "cpio">, file: BootFile, at: number): Promise<void> {
  switch (format) {
    case "gzip":
      return inflate(file, at);
    case "xz": {
      // The stream footer ends in "YZ"; the file may be padded with zeros to a multiple of 4.
      let end = file.bytes.length;
      while (end > at && file.bytes[end - 1] === 0) end--;
      if (end - at < 32 || file.bytes[end - 2] !== 0x59 || file.bytes[end - 1] !== 0x5a) {
        throw bootFileError("BOOT_FILE_TRUNCATED", file, "is truncated: the xz stream has no footer", REMEDY_TRUNCATED);
      }
      return;
    }
    case "zstd":
      return walkZstd(file, at);
    case "lz4":
      return walkLz4(file, at);
    case "unchecked":
      return;
    default:
      format satisfies never;
  }
}

async function inflate(file: BootFile, at: number): Promise<void> {
  const { createGunzip } = await import("node:zlib"); // large, and most machines boot without
  try {
    await pipeline(
      Readable.from([file.bytes.subarray(at)]),
      createGunzip({ chunkSize: 1 << 18 }),
      new Writable({ write: (_chunk, _encoding, done) => done() }),
    );
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "Z_BUF_ERROR") {
      throw bootFileError("BOOT_FILE_TRUNCATED", file, "is truncated: the gzip stream ends early", REMEDY_TRUNCATED, error);
    }
    // "incorrect header check" after whole members is trailing data, which the kernel looks at by itself.
    if (code === "Z_DATA_ERROR" && /header check/.test(String(error))) return;
    throw bootFileError("BOOT_FILE_INVALID", file, `is damaged: ${(error as Error).message}`, REMEDY_TRUNCATED, error);
  }
}

/** Zstandard frames: walk the block headers. Source: RFC 8878, "Zstandard Frames". */
function walkZstd(file: BootFile, start: number): void {
  const reader = new BinaryReader(file, "the zstd stream");
  const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
  const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
  const RLE = 1;
  const descriptor = reader.u8(start + 4);
  const singleSegment = (descriptor & 0x20) !== 0;
  let at = start + 5 + (singleSegment ? 0 : 1) + DICTIONARY_ID_BYTES[descriptor & 3]!;
  at += CONTENT_SIZE_BYTES[descriptor >> 6]! || (singleSegment ? 1 : 0);
  for (let last = false; !last; ) {
    const header = reader.u8(at) | (reader.u8(at + 1) << 8) | (reader.u8(at + 2) << 16);
    last = (header & 1) !== 0;
    const blockBytes = ((header >> 1) & 3) === RLE ? 1 : header >> 3;
    reader.require(at + 3, blockBytes, "the zstd stream");
    at += 3 + blockBytes;
  }
  if ((descriptor & 4) !== 0) reader.require(at, 4, "the zstd checksum");
}

/** LZ4 legacy frames: a magic, then blocks, each after its size, to the end of the file. */
function walkLz4(file: BootFile, start: number): void {
  const reader = new BinaryReader(file, "the lz4 stream");
  for (let at = start + 4; at + 4 <= reader.sizeBytes; ) {
    const blockBytes = reader.u32(at);
    if (blockBytes === 0 || blockBytes === 0x184c2102) return; // padding, or another frame
    reader.require(at + 4, blockBytes, "the lz4 stream");
    at += 4 + blockBytes;
  }
}

function notAnInitrd(file: BootFile, why: string) {
  return bootFileError(
    "BOOT_FILE_INVALID",
    file,
    `is not an initrd: ${why}`,
    "pass an initramfs: a cpio archive, compressed or not",
  );
}

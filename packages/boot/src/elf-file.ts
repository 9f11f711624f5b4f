// Reads ELF executables for x86 as a boot loader needs them: what to load where, and the notes. Both classes, little-endian only.
// Source: "Tool Interface Standard (TIS) Executable and Linking Format (ELF) Specification", "ELF-64 Object File Format".

import { BinaryReader, type BootFile, bootFileError } from "./boot-file.js";

export interface ElfSegment {
  /** Physical load address. */
  readonly at: number;
  /** What the file holds; may be shorter than `spanBytes`. */
  readonly bytes: Uint8Array;
  /** Size in memory; the rest is zero. */
  readonly spanBytes: number;
  /** Linear address of the first byte. */
  readonly linear: bigint;
}

export interface ElfNote {
  readonly name: string;
  readonly type: number;
  readonly content: Uint8Array;
}

export interface ElfFile {
  readonly is64Bit: boolean;
  readonly machine: "x86" | "x86-64";
  /** As in the header; linear, and in a kernel usually high. */
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
  readonly notes: readonly ElfNote[];
}

const PT_LOAD = 1;
const PT_NOTE = 4;
const ET_EXEC = 2;
const ET_DYN = 3;
const EM_386 = 3;
const EM_X86_64 = 62;

/** Whether the file starts like an ELF file. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/**
 * @throws RingzeroError `BOOT_FILE_INVALID` when it is not an x86 ELF executable with something to load
 * @throws RingzeroError `BOOT_FILE_TRUNCATED` when a header or a segment is beyond its end
 */
export function parseElf(file: BootFile): ElfFile {
  const refuse = (why: string) =>
    bootFileError("BOOT_FILE_INVALID", file, `is not a bootable ELF file: ${why}`, "pass an ELF kernel for x86");
  if (!isElf(file.bytes)) throw refuse("it does not start with 7F 45 4C 46");
  const reader = new BinaryReader(file, "the ELF header");
  const elfClass = reader.u8(4);
  if (elfClass !== 1 && elfClass !== 2) throw refuse(`its class is ${elfClass}`);
  const is64Bit = elfClass === 2;
  if (reader.u8(5) !== 1) throw refuse("it is big-endian");
  const type = reader.u16(16);
  if (type !== ET_EXEC && type !== ET_DYN) throw refuse("it is not an executable");
  const machineNumber = reader.u16(18);
  if (machineNumber !== EM_386 && machineNumber !== EM_X86_64) throw refuse(`it is for machine ${machineNumber}`);

  reader.require(0, is64Bit ? 64 : 52, "the ELF header");
  const tableAt = is64Bit ? reader.u64(32) : reader.u32(28);
  const entryBytes = reader.u16(is64Bit ? 54 : 42);
  const count = reader.u16(is64Bit ? 56 : 44);
  if (count === 0) throw refuse("it has no program headers");
  if (entryBytes < (is64Bit ? 56 : 32)) throw refuse("its program headers are too short");
  reader.require(tableAt, count * entryBytes, "the program headers");

  const segments: ElfSegment[] = [];
  const notes: ElfNote[] = [];
  for (let i = 0; i < count; i++) {
    const header = programHeader(reader, tableAt + i * entryBytes, is64Bit);
    if (header.type === PT_LOAD && header.spanBytes > 0) {
      if (header.fileBytes > header.spanBytes) throw refuse(`segment ${i} is larger in the file than in memory`);
      const bytes = reader.slice(header.offset, header.fileBytes, `segment ${i}`);
      segments.push({ at: header.physical, bytes, spanBytes: header.spanBytes, linear: header.linear });
    } else if (header.type === PT_NOTE) {
      notes.push(...parseNotes(reader, header.offset, header.fileBytes));
    }
  }
  if (segments.length === 0) throw refuse("it has nothing to load");
  return {
    is64Bit,
    machine: machineNumber === EM_386 ? "x86" : "x86-64",
    entry: is64Bit ? word64(reader, 24) : BigInt(reader.u32(24)),
    segments,
    notes,
  };
}

function programHeader(reader: BinaryReader, at: number, is64Bit: boolean) {
  return is64Bit
    ? {
        type: reader.u32(at),
        offset: reader.u64(at + 8),
        linear: word64(reader, at + 16),
        physical: reader.u64(at + 24),
        fileBytes: reader.u64(at + 32),
        spanBytes: reader.u64(at + 40),
      }
    : {
        type: reader.u32(at),
        offset: reader.u32(at + 4),
        linear: BigInt(reader.u32(at + 8)),
        physical: reader.u32(at + 12),
        fileBytes: reader.u32(at + 16),
        spanBytes: reader.u32(at + 20),
      };
}

/** A linear address may have any of its 64 bits set. */
function word64(reader: BinaryReader, at: number): bigint {
  return BigInt(reader.u32(at)) | (BigInt(reader.u32(at + 4)) << 32n);
}

function parseNotes(reader: BinaryReader, start: number, sizeBytes: number): ElfNote[] {
  reader.require(start, sizeBytes, "the notes");
  const notes: ElfNote[] = [];
  const align4 = (value: number) => Math.ceil(value / 4) * 4;
  const end = start + sizeBytes;
  for (let at = start; at + 12 <= end; ) {
    const nameBytes = reader.u32(at);
    const contentBytes = reader.u32(at + 4);
    const contentAt = at + 12 + align4(nameBytes);
    if (contentAt + contentBytes > end) break; // a damaged note hides those behind it, and nothing else
    notes.push({
      name: Buffer.from(reader.slice(at + 12, nameBytes))
        .toString("latin1")
        .replace(/\0+$/, ""),
      type: reader.u32(at + 8),
      content: reader.slice(contentAt, contentBytes),
    });
    at = contentAt + align4(contentBytes);
  }
  return notes;
}

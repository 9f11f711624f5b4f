// Reading the files a machine boots from, with errors that name the file, the field of the spec and the remedy.
// Every parser here works on a BootFile and reads through `BinaryReader`, so that a short file is a
// `BOOT_FILE_TRUNCATED` and never a RangeError out of the middle of a parser.

import { readFile, stat } from "node:fs/promises";
import { type ErrorCode, RingzeroError } from "@ringzero/api";

/** A file held in memory, and where it was named. */
export interface BootFile {
  /** As the user wrote it. */
  readonly path: string;
  /** Where in the machine specification it stands, such as `boot.kernel`. */
  readonly field: string;
  readonly bytes: Uint8Array;
}

/** The largest file that is read: Node's limit for one buffer read. */
const MAX_FILE_BYTES = 0x7fffffff;

/** An error about one file: `boot.kernel: vmlinuz is truncated: …; do …`. */
export function bootFileError(
  code: ErrorCode,
  file: { readonly path: string; readonly field: string },
  problem: string,
  remedy: string,
  cause?: unknown,
): RingzeroError {
  return new RingzeroError(
    code,
    `${file.field}: ${file.path}: ${problem}; ${remedy}`,
    cause === undefined ? undefined : { cause },
  );
}

/**
 * Read a whole file.
 * @param path   as given by the user, relative to the working directory
 * @param field  where it stands in the specification
 * @throws RingzeroError `BOOT_FILE_MISSING` when there is no such file
 * @throws RingzeroError `BOOT_FILE_UNREADABLE` when the host refuses, or it is not a file
 * @throws RingzeroError `BOOT_FILE_TRUNCATED` when it is empty
 */
export async function readBootFile(path: string, field: string): Promise<BootFile> {
  const named = { path, field };
  let bytes: Uint8Array;
  try {
    const about = await stat(path);
    if (about.isDirectory()) throw bootFileError("BOOT_FILE_UNREADABLE", named, "is a directory", "name a file");
    if (about.size > MAX_FILE_BYTES) {
      throw bootFileError(
        "BOOT_FILE_UNREADABLE",
        named,
        `has ${about.size} bytes, and 2 GiB is the most that is loaded`,
        "use a smaller file",
      );
    }
    bytes = await readFile(path);
  } catch (error) {
    if (error instanceof RingzeroError) throw error;
    const errno = (error as NodeJS.ErrnoException).code;
    if (errno === "ENOENT" || errno === "ENOTDIR") {
      throw bootFileError(
        "BOOT_FILE_MISSING",
        named,
        "no such file",
        "check the path; it is relative to the working directory",
        error,
      );
    }
    throw bootFileError(
      "BOOT_FILE_UNREADABLE",
      named,
      `cannot be read (${errno ?? String(error)})`,
      "check its permissions",
      error,
    );
  }
  if (bytes.length === 0) throw bootFileError("BOOT_FILE_TRUNCATED", named, "is empty", "fetch or build it again");
  return { ...named, bytes };
}

/** Little-endian reads within a file; a read beyond its end is a `BOOT_FILE_TRUNCATED`. */
export class BinaryReader {
  readonly #view: DataView;

  /** @param what  what is being read, for messages: "the setup header" */
  constructor(
    readonly file: BootFile,
    readonly what: string,
  ) {
    this.#view = new DataView(file.bytes.buffer, file.bytes.byteOffset, file.bytes.byteLength);
  }

  get sizeBytes(): number {
    return this.file.bytes.length;
  }

  u8(at: number): number {
    this.require(at, 1, this.what);
    return this.#view.getUint8(at);
  }
  u16(at: number): number {
    this.require(at, 2, this.what);
    return this.#view.getUint16(at, true);
  }
  u32(at: number): number {
    this.require(at, 4, this.what);
    return this.#view.getUint32(at, true);
  }
  /** @throws RingzeroError `BOOT_FILE_INVALID` when the value is 2^53 or more: no address or size is */
  u64(at: number): number {
    this.require(at, 8, this.what);
    const value = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 0x100000000;
    if (!Number.isSafeInteger(value)) {
      throw bootFileError(
        "BOOT_FILE_INVALID",
        this.file,
        `${this.what} holds an impossible value at offset ${at}`,
        "use an intact file",
      );
    }
    return value;
  }
  /** A view of the file's own bytes. */
  slice(at: number, sizeBytes: number, what = this.what): Uint8Array {
    this.require(at, sizeBytes, what);
    return this.file.bytes.subarray(at, at + sizeBytes);
  }

  /** @throws RingzeroError `BOOT_FILE_TRUNCATED` unless the file has `sizeBytes` bytes at `at` */
  require(at: number, sizeBytes: number, what: string): void {
    if (at < 0 || sizeBytes < 0 || at + sizeBytes > this.sizeBytes) {
      throw bootFileError(
        "BOOT_FILE_TRUNCATED",
        this.file,
        `is truncated: ${what} needs ${at + sizeBytes} bytes and the file has ${this.sizeBytes}`,
        "fetch or build it again",
      );
    }
  }
}

// Writes a cpio archive in the "newc" form, the one that Linux unpacks as an initramfs.
// What must stay true: the same calls give the same bytes (inode numbers count up, times are zero, everything belongs to root).

/** File types of `mode`, as in inode(7). */
const TYPE = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
} as const;

interface Entry {
  readonly mode: number;
  readonly data: Uint8Array;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

/** An initramfs under construction. Paths are relative to the root, without a leading slash. */
export class CpioArchive {
  readonly #entries = new Map<string, Entry>();

  /** Add a directory, and those above it. Adding one that is there does nothing. */
  directory(path: string, permissions = 0o755): this {
    this.#parents(path);
    if (!this.#entries.has(path)) this.#add(path, TYPE.directory | permissions, new Uint8Array(0));
    return this;
  }

  file(path: string, content: Uint8Array | string, permissions = 0o644): this {
    this.#parents(path);
    return this.#add(path, TYPE.file | permissions, typeof content === "string" ? new TextEncoder().encode(content) : content);
  }

  symlink(path: string, target: string): this {
    this.#parents(path);
    return this.#add(path, TYPE.symlink | 0o777, new TextEncoder().encode(target));
  }

  /** A device node. */
  device(path: string, type: "character" | "block", major: number, minor: number, permissions = 0o600): this {
    this.#parents(path);
    return this.#add(path, TYPE[type] | permissions, new Uint8Array(0), major, minor);
  }

  /** The archive, with its trailer, padded to a multiple of 512 bytes. */
  toBytes(): Uint8Array {
    const parts: Uint8Array[] = [];
    let inode = 1;
    for (const [path, entry] of this.#entries) parts.push(...member(path, entry, inode++));
    parts.push(...member("TRAILER!!!", { mode: 0, data: new Uint8Array(0), deviceMajor: 0, deviceMinor: 0 }, 0));
    const sizeBytes = parts.reduce((sum, part) => sum + part.length, 0);
    const all = new Uint8Array(Math.ceil(sizeBytes / 512) * 512);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  #parents(path: string): void {
    const slash = path.lastIndexOf("/");
    if (slash > 0) this.directory(path.slice(0, slash));
  }

  #add(path: string, mode: number, data: Uint8Array, deviceMajor = 0, deviceMinor = 0): this {
    if (path === "" || path.startsWith("/") || path.endsWith("/") || path.includes("\0")) {
      throw new TypeError(`"${path}" is not a path relative to the root of an archive`);
    }
    if (this.#entries.has(path)) throw new TypeError(`"${path}" is in the archive already`);
    this.#entries.set(path, { mode, data, deviceMajor, deviceMinor });
    return this;
  }
}

/** Header and name, data; each padded to a multiple of 4. */
function member(path: string, entry: Entry, inode: number): [Uint8Array, Uint8Array] {
  const name = new TextEncoder().encode(`${path}\0`);
  const links = (entry.mode & 0o170000) === TYPE.directory ? 2 : 1;
  const fields = [
    inode,
    entry.mode,
    0,
    0,
    links,
    0,
    entry.data.length,
    0,
    0,
    entry.deviceMajor,
    entry.deviceMinor,
    name.length,
    0,
  ];
  const header = new TextEncoder().encode(`070701${fields.map((value) => value.toString(16).padStart(8, "0")).join("")}`);
  const first = new Uint8Array(Math.ceil((header.length + name.length) / 4) * 4);
  first.set(header);
  first.set(name, header.length);
  if (entry.data.length % 4 === 0) return [first, entry.data];
  const data = new Uint8Array(Math.ceil(entry.data.length / 4) * 4);
  data.set(entry.data);
  return [first, data];
}

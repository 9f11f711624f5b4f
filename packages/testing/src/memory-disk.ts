// A disk in memory, with everything that the contract of disks has: for tests of whatever uses a disk, and the model of the suite for disks.

import { type BlockCapabilities, type BlockDevice, checkTransfer, RingzeroError } from "@ringzero/api";

export interface MemoryDiskOptions {
  /** A multiple of `blockBytes`. Default: 1 MiB. */
  readonly sizeBytes?: number;
  /** Default: 512. */
  readonly blockBytes?: 512 | 4096;
  /** What it claims beside reading. Default: everything. */
  readonly capabilities?: Partial<BlockCapabilities>;
}

/** What a disk keeps when it is closed: pass it to another `MemoryDisk` to open it again. */
export class MemoryDiskContent {
  constructor(public bytes: Uint8Array) {}
}

const ALL: BlockCapabilities = { write: true, flush: true, discard: true, writeZeroes: true };

export class MemoryDisk implements BlockDevice {
  readonly blockBytes: 512 | 4096;
  readonly capabilities: BlockCapabilities;
  readonly content: MemoryDiskContent;
  readonly #underWay = new Set<Promise<void>>();
  #listener: (sizeBytes: number) => void = () => undefined;
  #closing: Promise<void> | null = null;

  /** @throws RangeError when the size is not whole blocks */
  constructor(options: MemoryDiskOptions = {}, content?: MemoryDiskContent) {
    const { sizeBytes = 2 ** 20, blockBytes = 512, capabilities = {} } = options;
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes % blockBytes !== 0)
      throw new RangeError(`a disk of ${sizeBytes} bytes is not whole blocks of ${blockBytes}`);
    this.blockBytes = blockBytes;
    this.capabilities = { ...ALL, ...capabilities };
    this.content = content ?? new MemoryDiskContent(new Uint8Array(sizeBytes));
  }

  get sizeBytes(): number {
    return this.content.bytes.length;
  }

  read(offsetBytes: number, into: Uint8Array): Promise<void> {
    return this.#transfer(null, offsetBytes, into.length, () => into.set(this.#range(offsetBytes, into.length)));
  }

  write(offsetBytes: number, from: Uint8Array): Promise<void> {
    return this.#transfer("write", offsetBytes, from.length, () => this.#range(offsetBytes, from.length).set(from));
  }

  /** The bytes read as zero afterwards, which the contract does not promise. */
  discard(offsetBytes: number, sizeBytes: number): Promise<void> {
    return this.#transfer("discard", offsetBytes, sizeBytes, () => void this.#range(offsetBytes, sizeBytes).fill(0));
  }

  writeZeroes(offsetBytes: number, sizeBytes: number): Promise<void> {
    return this.#transfer("writeZeroes", offsetBytes, sizeBytes, () => void this.#range(offsetBytes, sizeBytes).fill(0));
  }

  async flush(): Promise<void> {
    this.#check("flush");
    await Promise.all(this.#underWay);
  }

  onResize(listener: (sizeBytes: number) => void): void {
    this.#listener = listener;
  }

  /** Grow or shrink it under whoever uses it. */
  resize(sizeBytes: number): void {
    const bytes = new Uint8Array(sizeBytes);
    bytes.set(this.content.bytes.subarray(0, sizeBytes));
    this.content.bytes = bytes;
    this.#listener(sizeBytes);
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all(this.#underWay).then(() => undefined);
    return this.#closing;
  }

  #range(offsetBytes: number, sizeBytes: number): Uint8Array {
    return this.content.bytes.subarray(offsetBytes, offsetBytes + sizeBytes);
  }

  #check(needs: keyof BlockCapabilities | null): void {
    if (this.#closing) throw new RingzeroError("VM_NOT_OPEN", "the disk is closed");
    if (needs && !this.capabilities[needs]) throw new RingzeroError("VM_UNSUPPORTED", `the disk does not claim ${needs}`);
  }

  /** One operation, some turns of the event loop later, as on a real disk. */
  async #transfer(
    needs: keyof BlockCapabilities | null,
    offsetBytes: number,
    sizeBytes: number,
    work: () => void,
  ): Promise<void> {
    this.#check(needs);
    checkTransfer(this, offsetBytes, sizeBytes);
    const done = new Promise<void>((resolve) => setImmediate(resolve)).then(work);
    this.#underWay.add(done);
    try {
      await done;
    } finally {
      this.#underWay.delete(done);
    }
  }
}

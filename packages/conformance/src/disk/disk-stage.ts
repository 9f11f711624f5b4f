// Where one case of the disk suite plays: opens disks, keeps a model of what they must hold, and closes all.

import assert from "node:assert/strict";
import { type BlockDevice, RingzeroError } from "@ringzero/api";
import { PATIENCE_MS, waitUntil } from "../waiting.js";

export type MakeDisk = () => BlockDevice | Promise<BlockDevice>;

export interface DiskSuiteOptions {
  /**
   * Open what `disk` held once more, after it was closed, as after a restart: the suite then checks that flushed writes are there.
   */
  readonly reopen?: (disk: BlockDevice) => BlockDevice | Promise<BlockDevice>;
  /** Make the disk another size from outside: the suite then checks that it says so. */
  readonly resize?: (disk: BlockDevice, sizeBytes: number) => void | Promise<void>;
  /** What a disk that cannot be written must hold, somewhere. */
  readonly content?: { readonly offsetBytes: number; readonly bytes: Uint8Array };
  /** How long one operation may take. Default: a minute. */
  readonly patienceMs?: number;
}

export class DiskStage {
  readonly #open: BlockDevice[] = [];

  constructor(
    readonly make: MakeDisk,
    readonly options: DiskSuiteOptions,
  ) {}

  /** A disk of the plugin under test, new or as `make` leaves it between cases. */
  async open(): Promise<BlockDevice> {
    return this.keep(await this.make());
  }

  /** Have a disk closed when the case ends. */
  keep(disk: BlockDevice): BlockDevice {
    this.#open.push(disk);
    return disk;
  }

  /** @throws Error when `operation` does not settle in time */
  async within<T>(what: string, operation: Promise<T>): Promise<T> {
    const patienceMs = this.options.patienceMs ?? PATIENCE_MS;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`waited ${patienceMs} ms in vain for ${what}`)), patienceMs);
    });
    return Promise.race([operation, late]).finally(() => clearTimeout(timer));
  }

  /** @throws Error when `check` is not true in time */
  async until(check: () => boolean, what: string): Promise<void> {
    await waitUntil(check, () => what, this.options.patienceMs ?? PATIENCE_MS);
  }

  async close(): Promise<void> {
    for (const disk of this.#open) await this.within("close", disk.close());
  }
}

/** Bytes of a pattern in which every block differs, by the seed and by its place. */
export function pattern(seed: number, sizeBytes: number): Uint8Array {
  let x = (Math.imul(seed + 1, 0x9e3779b1) | 1) >>> 0;
  const words = new Uint32Array(Math.ceil(sizeBytes / 4));
  for (let i = 0; i < words.length; i += 1) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = x;
  }
  return new Uint8Array(words.buffer, 0, sizeBytes);
}

export function assertSame(found: Uint8Array, wanted: Uint8Array, what: string): void {
  if (Buffer.compare(found, wanted) === 0) return;
  const at = found.findIndex((byte, i) => byte !== wanted[i]);
  assert.fail(`${what}: byte ${at} is ${found[at]}, not ${wanted[at]}`);
}

/** @param code  of the error; null: a RangeError */
export async function assertRefused(operation: () => Promise<unknown>, code: string | null, what: string): Promise<void> {
  const error: unknown = await operation().then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (code === null) assert.ok(error instanceof RangeError, `${what}: a RangeError, not ${String(error)}`);
  else assert.ok(error instanceof RingzeroError && error.code === code, `${what}: ${code}, not ${String(error)}`);
}

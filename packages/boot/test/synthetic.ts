// Kernels and files for boot tests: the smallest that are right, so that a test can break one thing at a time.

import { strict as assert } from "node:assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BootImage, MachineShape } from "@ringzero/api";
import { PLATFORM_SETUP_AT } from "@ringzero/boot";
import { pcRamLayout, RingzeroError } from "@ringzero/api";

export const MIB = 2 ** 20;
export const shape = (mib: number, cpus = 1): MachineShape => ({ memoryBytes: mib * MIB, cpus });

/** A folder for one test file, removed after it. */
export class Folder {
  path = "";

  async make(): Promise<void> {
    this.path = await mkdtemp(join(tmpdir(), "ringzero-boot-test-"));
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }

  async write(name: string, bytes: Uint8Array | string): Promise<string> {
    const path = join(this.path, name);
    await writeFile(path, bytes);
    return path;
  }
}

export interface BzImageOptions {
  readonly version?: number;
  readonly payloadBytes?: number;
  readonly xloadflags?: number;
  readonly loadflags?: number;
  readonly relocatable?: boolean;
  readonly initSizeBytes?: number;
  readonly preferredAddress?: number;
  readonly alignment?: number;
  readonly initrdLastByte?: number;
}

/** A bzImage whose code is a pattern. Two setup sectors, so 1024 bytes before the payload. */
export function bzImage(options: BzImageOptions = {}): Uint8Array {
  const payloadBytes = options.payloadBytes ?? 4096;
  const view = new DataView(new ArrayBuffer(1024 + payloadBytes));
  view.setUint8(0x1f1, 1);
  view.setUint32(0x1f4, payloadBytes / 16, true);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint16(0x200, 0x66eb, true); // jump over the header: it ends at 0x268
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, options.version ?? 0x020f, true);
  view.setUint8(0x211, options.loadflags ?? 0x01);
  view.setUint32(0x22c, options.initrdLastByte ?? 0x7fffffff, true);
  view.setUint32(0x230, options.alignment ?? 0x200000, true);
  view.setUint8(0x234, (options.relocatable ?? true) ? 1 : 0);
  view.setUint16(0x236, options.xloadflags ?? 0x01, true);
  view.setUint32(0x238, 2047, true);
  view.setUint32(0x258, options.preferredAddress ?? 0x1000000, true);
  view.setUint32(0x260, options.initSizeBytes ?? 0x800000, true);
  for (let i = 0; i < payloadBytes; i++) view.setUint8(1024 + i, (i * 13 + 5) & 0xff);
  return new Uint8Array(view.buffer);
}

export interface ElfOptions {
  readonly is64Bit?: boolean;
  readonly machine?: number;
  readonly physical?: number;
  readonly linear?: bigint;
  readonly entry?: bigint;
  readonly code?: Uint8Array;
  readonly bssBytes?: number;
  /** Content of a PVH note; none when absent. */
  readonly pvhEntry?: number;
}

/** An ELF executable with one segment, which starts at file offset 0x200, and a note if asked for. */
export function elfFile(options: ElfOptions = {}): Uint8Array {
  const is64Bit = options.is64Bit ?? true;
  const code = options.code ?? Uint8Array.from({ length: 256 }, (_, i) => i);
  const physical = options.physical ?? 0x200000;
  const linear = options.linear ?? BigInt(physical);
  const CODE_AT = 0x200;
  const NOTE_AT = 0x180;
  const view = new DataView(new ArrayBuffer(CODE_AT + code.length));
  const bytes = new Uint8Array(view.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, is64Bit ? 2 : 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, options.machine ?? (is64Bit ? 62 : 3), true);
  const entry = options.entry ?? linear;
  const headers = options.pvhEntry === undefined ? 1 : 2;
  const segment = (at: number, type: number, offset: number, sizeBytes: number, spanBytes: number) => {
    view.setUint32(at, type, true);
    if (is64Bit) {
      for (const [field, value] of [
        [8, BigInt(offset)],
        [16, linear],
        [24, BigInt(physical)],
        [32, BigInt(sizeBytes)],
        [40, BigInt(spanBytes)],
      ] as const) {
        view.setBigUint64(at + field, value, true);
      }
    } else {
      for (const [field, value] of [
        [4, offset],
        [8, Number(linear)],
        [12, physical],
        [16, sizeBytes],
        [20, spanBytes],
      ] as const) {
        view.setUint32(at + field, value, true);
      }
    }
  };
  if (is64Bit) {
    view.setBigUint64(24, entry, true);
    view.setBigUint64(32, 64n, true);
    view.setUint16(54, 56, true);
    view.setUint16(56, headers, true);
    segment(64, 1, CODE_AT, code.length, code.length + (options.bssBytes ?? 0));
    if (headers === 2) segment(120, 4, NOTE_AT, 20, 20);
  } else {
    view.setUint32(24, Number(entry), true);
    view.setUint32(28, 52, true);
    view.setUint16(42, 32, true);
    view.setUint16(44, headers, true);
    segment(52, 1, CODE_AT, code.length, code.length + (options.bssBytes ?? 0));
    if (headers === 2) segment(84, 4, NOTE_AT, 20, 20);
  }
  if (options.pvhEntry !== undefined) {
    view.setUint32(NOTE_AT, 4, true);
    view.setUint32(NOTE_AT + 4, 4, true);
    view.setUint32(NOTE_AT + 8, 18, true);
    bytes.set(Buffer.from("Xen\0"), NOTE_AT + 12);
    view.setUint32(NOTE_AT + 16, options.pvhEntry, true);
  }
  bytes.set(code, CODE_AT);
  return bytes;
}

/** A Multiboot header; with `addresses` it carries its own load addresses. */
export function multibootHeader(flags = 0, addresses?: readonly [number, number, number, number, number]): Uint8Array {
  const allFlags = flags | (addresses ? 0x10000 : 0);
  const words = [0x1badb002, allFlags, -(0x1badb002 + allFlags), ...(addresses ?? [])];
  const view = new DataView(new ArrayBuffer(words.length * 4));
  words.forEach((word, i) => {
    view.setUint32(i * 4, word >>> 0, true);
  });
  return new Uint8Array(view.buffer);
}

/** What every image must be: ranges within RAM or ROM, and none over another. */
export function assertSound(image: BootImage, of: MachineShape): void {
  const homes = [...pcRamLayout(of.memoryBytes), ...image.rom];
  const sorted = [...image.ranges].sort((a, b) => a.at - b.at);
  sorted.forEach((range, i) => {
    const end = range.at + range.bytes.length;
    assert.ok(
      homes.some((home) => range.at >= home.at && end <= home.at + home.sizeBytes),
      `${range.what} at ${range.at.toString(16)} is in memory`,
    );
    const next = sorted[i + 1];
    if (next) assert.ok(end <= next.at, `${range.what} overlaps ${next.what}`);
  });
}

/** The loaded bytes at an address. */
export function loaded(image: BootImage, at: number, sizeBytes: number): DataView {
  const range = image.ranges.find((candidate) => candidate.at <= at && at + sizeBytes <= candidate.at + candidate.bytes.length);
  assert.ok(range, `nothing is loaded at 0x${at.toString(16)}`);
  return new DataView(range.bytes.buffer, range.bytes.byteOffset + at - range.at, sizeBytes);
}

/** A zero-terminated string in guest memory. */
export function loadedString(image: BootImage, at: number): string {
  let text = "";
  for (let i = at; loaded(image, i, 1).getUint8(0) !== 0; i++) text += String.fromCharCode(loaded(image, i, 1).getUint8(0));
  return text;
}

/** Expects a RingzeroError with this code whose message has all of these in it. */
export async function refuses(promise: Promise<unknown>, code: string, ...parts: readonly (string | RegExp)[]): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof RingzeroError, `a RingzeroError, not ${String(error)}`);
    assert.equal(error.code, code, error.message);
    for (const part of parts)
      assert.ok(typeof part === "string" ? error.message.includes(part) : part.test(error.message), error.message);
    return true;
  });
}

/** Every shorter file must give a clean error, or be right by itself; never a TypeError or RangeError. */
export async function survivesTruncation(
  folder: Folder,
  whole: Uint8Array,
  load: (path: string) => Promise<unknown>,
  lengths: Iterable<number>,
): Promise<number> {
  let refused = 0;
  for (const length of lengths) {
    const path = await folder.write("truncated", whole.subarray(0, length));
    try {
      await load(path);
    } catch (error) {
      assert.ok(error instanceof RingzeroError, `at ${length} bytes: ${(error as Error).stack}`);
      assert.match(error.code, /^BOOT_(FILE_(INVALID|TRUNCATED)|UNSUPPORTED|NO_ROOM)$/, `at ${length} bytes`);
      assert.ok(error.message.includes("truncated"), error.message); // the file's name
      refused++;
    }
  }
  return refused;
}

/** Where the platform set-up code, which runs first, goes on: its last instruction is a jump there. */
export function kernelEntry(image: BootImage): number {
  const setup = image.ranges.find((range) => range.at === PLATFORM_SETUP_AT);
  assert.ok(setup, "there is no platform set-up code");
  const end = setup.at + setup.bytes.length;
  const rip = Number(image.registers.rip);
  assert.ok(rip >= setup.at && rip < end, "it does not run first");
  assert.equal(setup.bytes.at(-5), 0xe9);
  return end + new DataView(setup.bytes.buffer, setup.bytes.byteOffset + setup.bytes.length - 4).getInt32(0, true);
}

/** 0, 1, 2 … below `end`. */
export function* upTo(end: number, step = 1): Generator<number> {
  for (let i = 0; i < end; i += step) yield i;
}

/** Files with one byte changed, for parsers that must take anything. */
export async function survivesDamage(
  folder: Folder,
  whole: Uint8Array,
  load: (path: string) => Promise<unknown>,
  end: number,
): Promise<void> {
  for (let at = 0; at < end; at++) {
    for (const value of [0x00, 0xff]) {
      const damaged = Uint8Array.from(whole);
      damaged[at] = value;
      const path = await folder.write("damaged", damaged);
      try {
        await load(path);
      } catch (error) {
        assert.ok(error instanceof RingzeroError, `byte ${at} = ${value}: ${(error as Error).stack}`);
      }
    }
  }
}

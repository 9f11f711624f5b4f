// What --kernel takes a file for.

import assert from "node:assert/strict";
import { sniffKernelKind } from "@ringzero/cli";

function bytes(length: number, ...words: [at: number, value: number][]): Uint8Array {
  const view = new DataView(new ArrayBuffer(length));
  for (const [at, value] of words) view.setUint32(at, value, true);
  return new Uint8Array(view.buffer);
}
const BOOT_FLAG: [number, number] = [0x1fc, 0xaa550000];
const HDRS: [number, number] = [0x202, 0x53726448];
const ELF: [number, number] = [0, 0x464c457f];
const multiboot = (at: number): [number, number][] => [
  [at, 0x1badb002],
  [at + 4, 3],
  [at + 8, -(0x1badb002 + 3)],
];

describe("the kind of a kernel file", () => {
  it("A boot signature and HdrS make a Linux kernel", () => assert.equal(sniffKernelKind(bytes(8192, BOOT_FLAG, HDRS)), "linux"));
  it("A boot sector without HdrS is no kernel", () => assert.equal(sniffKernelKind(bytes(8192, BOOT_FLAG)), null));
  it("A Linux kernel cut off before HdrS is still called one, so that its loader says what is missing", () =>
    assert.equal(sniffKernelKind(bytes(0x200, BOOT_FLAG)), "linux"));
  it("ELF is recognised", () => assert.equal(sniffKernelKind(bytes(64, ELF)), "elf"));
  it("An ELF file with a Multiboot header is a Multiboot kernel", () =>
    assert.equal(sniffKernelKind(bytes(8192, ELF, ...multiboot(4096))), "multiboot"));
  it("A Multiboot header with a wrong checksum does not count", () =>
    assert.equal(sniffKernelKind(bytes(8192, [64, 0x1badb002], [68, 3], [72, 1])), null));
  it("A Multiboot header counts in the last 12 of the first 8192 bytes", () =>
    assert.equal(sniffKernelKind(bytes(9000, ...multiboot(8180))), "multiboot"));
  it("A Multiboot header beyond the first 8192 bytes does not", () =>
    assert.equal(sniffKernelKind(bytes(9000, ...multiboot(8192))), null));
  it("Nothing and noise are no kernels", () => {
    assert.equal(sniffKernelKind(new Uint8Array(0)), null);
    assert.equal(sniffKernelKind(new Uint8Array(4096).fill(0xa5)), null);
  });
});

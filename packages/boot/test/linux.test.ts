// Direct boot of a bzImage: what is loaded where, the state at entry, and every way in which it is refused.

import { strict as assert } from "node:assert";
import { join } from "node:path";
import type { BootImage, SegmentRegister } from "@ringzero/api";
import { linux, loadBoot, pcMemoryMap } from "@ringzero/boot";
import { cpioOf } from "./archives.js";
import {
  assertSound,
  bzImage,
  elfFile,
  Folder,
  loaded,
  loadedString,
  MIB,
  refuses,
  shape,
  survivesDamage,
  survivesTruncation,
  upTo,
  kernelEntry,
} from "./synthetic.js";

/** A descriptor of the loaded GDT, in the form of a segment register. */
function descriptor(image: BootImage, selector: number): SegmentRegister {
  const view = loaded(image, Number(image.registers.gdtr.base) + selector, 8);
  const high = view.getUint32(4, true);
  const low = view.getUint32(0, true);
  const rawLimit = (low & 0xffff) | (high & 0xf0000);
  return {
    selector,
    base: BigInt((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)),
    limit: (high & 0x800000) !== 0 ? ((rawLimit << 12) | 0xfff) >>> 0 : rawLimit,
    attributes: ((high >>> 8) & 0xff) | ((high >>> 12) & 0xf00),
  };
}

describe("linux", () => {
  const folder = new Folder();
  before(() => folder.make());
  after(() => folder.remove());
  const boot = async (kernel: Uint8Array, mib = 512, more: { initrd?: string[]; append?: string } = {}) =>
    loadBoot(linux({ kernel: await folder.write("kernel", kernel), ...more }), shape(mib));

  it("is data that JSON keeps", () => {
    const source = linux({ kernel: "vmlinuz", initrd: ["a", "b"], append: "quiet" });
    assert.deepEqual(JSON.parse(JSON.stringify(source)), source);
  });

  it("enters 64-bit mode at the load address + 0x200, with RSI at the boot parameters", async () => {
    const image = await boot(bzImage());
    const { registers } = image;
    assertSound(image, shape(512));
    assert.equal(kernelEntry(image), 0x1000200);
    assert.equal(registers.rflags, 0x2n); // interrupts off
    assert.equal(registers.cr0 & 0x80000001n, 0x80000001n);
    assert.equal(registers.cr4 & 0x20n, 0x20n);
    assert.equal(registers.efer, 0x500n);
    assert.equal(registers.cs.selector, 0x10);
    assert.equal(registers.cs.attributes & 0x600, 0x200); // L, not D
    for (const name of ["ds", "es", "ss"] as const) assert.equal(registers[name].selector, 0x18);
    assert.equal(loaded(image, Number(registers.gpr[6]), 4096).getUint32(0x202, true), 0x53726448);
  });

  it("has in its GDT exactly the segments that are loaded", async () => {
    for (const xloadflags of [0, 1]) {
      const image = await boot(bzImage({ xloadflags }));
      for (const name of ["cs", "ds", "es", "ss", "tr"] as const) {
        assert.deepEqual(descriptor(image, image.registers[name].selector), image.registers[name], name);
      }
    }
  });

  it("maps the first 4 GiB to themselves", async () => {
    const image = await boot(bzImage());
    const entry = (table: number, index: number) => loaded(image, table + index * 8, 8).getBigUint64(0, true);
    const target = (value: bigint) => Number(value & 0x000ffffffffff000n);
    for (const address of [0, 0x7000, 0x1000200, 0x1fffffff, 0x80000000, 0xffe00000]) {
      const pdpt = entry(Number(image.registers.cr3), 0);
      const directory = entry(target(pdpt), Math.floor(address / 2 ** 30));
      const page = entry(target(directory), Math.floor(address / 2 ** 21) % 512);
      for (const value of [pdpt, directory, page]) assert.equal(value & 3n, 3n);
      assert.equal(page & 0x80n, 0x80n);
      assert.equal(target(page), Math.floor(address / 2 ** 21) * 2 ** 21);
    }
  });

  it("fills the boot parameters", async () => {
    const initrd = await folder.write("initrd", cpioOf({ init: "x".repeat(5000) }));
    const image = await boot(bzImage(), 512, { initrd: [initrd], append: "console=ttyS0 quiet" });
    assertSound(image, shape(512));
    const params = loaded(image, Number(image.registers.gpr[6]), 4096);
    assert.equal(params.getUint8(0x210), 0xff);
    assert.equal(params.getUint32(0x214, true), 0x1000000);
    assert.equal(loadedString(image, params.getUint32(0x228, true)), "console=ttyS0 quiet");
    const initrdAt = params.getUint32(0x218, true);
    const initrdBytes = params.getUint32(0x21c, true);
    assert.equal(initrdAt % 4096, 0);
    assert.ok(initrdAt + initrdBytes <= 512 * MIB && initrdAt + initrdBytes > 512 * MIB - 3 * 4096, "as high as it fits");
    assert.equal(loaded(image, initrdAt, 6).getUint32(0), 0x30373037);
    const rsdp = params.getUint32(0x70, true);
    assert.equal(Buffer.from(loaded(image, rsdp, 8).buffer, loaded(image, rsdp, 8).byteOffset, 8).toString(), "RSD PTR ");
    assert.equal(params.getUint8(0x1e8), pcMemoryMap(512 * MIB).length);
    pcMemoryMap(512 * MIB).forEach((entry, i) => {
      assert.equal(params.getBigUint64(0x2d0 + i * 20, true), BigInt(entry.at));
      assert.equal(params.getBigUint64(0x2d0 + i * 20 + 8, true), BigInt(entry.sizeBytes));
      assert.equal(params.getUint32(0x2d0 + i * 20 + 16, true), entry.type);
    });
  });

  it("puts several initrds together, each on a multiple of 4", async () => {
    const first = cpioOf({ a: "1" });
    const one = await folder.write("one", first.subarray(0, first.length - 3)); // zeros at the end of an archive may be missing
    const two = await folder.write("two", cpioOf({ b: "2" }));
    const image = await boot(bzImage(), 512, { initrd: [one, two] });
    const params = loaded(image, Number(image.registers.gpr[6]), 4096);
    const at = params.getUint32(0x218, true);
    assert.equal(params.getUint32(0x21c, true), first.length + cpioOf({ b: "2" }).length);
    assert.equal(loaded(image, at + first.length, 4).getUint32(0), 0x30373037);
  });

  it("keeps an initrd below the limit that the kernel gives", async () => {
    const initrd = await folder.write("initrd", cpioOf({ init: "x" }));
    const image = await boot(bzImage({ initrdLastByte: 0x7ffffff }), 512, { initrd: [initrd] });
    const params = loaded(image, Number(image.registers.gpr[6]), 4096);
    assert.ok(params.getUint32(0x218, true) + params.getUint32(0x21c, true) <= 0x8000000);
  });

  it("works in machines with memory above 4 GiB, and loads nothing there", async () => {
    const initrd = await folder.write("initrd", cpioOf({ init: "x" }));
    const image = await boot(bzImage({ initrdLastByte: 0xffffffff }), 8192, { initrd: [initrd] });
    assertSound(image, shape(8192));
    for (const range of image.ranges) assert.ok(range.at + range.bytes.length <= 3 * 2 ** 30);
  });

  it("enters 32-bit kernels in protected mode at their start", async () => {
    const image = await boot(bzImage({ xloadflags: 0 }));
    const { registers } = image;
    assert.equal(kernelEntry(image), 0x1000000);
    assert.equal(registers.cr0 & 0x80000001n, 1n);
    assert.equal(registers.efer, 0n);
    assert.equal(registers.cs.attributes & 0x600, 0x400); // D, not L
    for (const index of [3, 5, 7]) assert.equal(registers.gpr[index], 0n); // EBX, EBP, EDI
    assert.equal(loaded(image, Number(registers.gpr[6]), 4096).getUint8(0x211) & 0x40, 0x40); // segments are loaded
  });

  it("loads protocols before 2.10 at 1 MiB", async () => {
    const image = await boot(bzImage({ version: 0x208, xloadflags: 0, alignment: 0x1000 }), 64);
    assert.equal(kernelEntry(image), 0x100000);
  });

  it("leaves code at FFFF0h that resets the machine, for a kernel that reboots by a jump to the firmware", async () => {
    const code = loaded(await boot(bzImage()), 0xffff0, 9);
    assert.deepEqual([code.getUint8(0), code.getUint16(1, true)], [0xba, 0xcf9]); // mov dx, CF9h
    assert.deepEqual([code.getUint8(3), code.getUint8(4), code.getUint8(5)], [0xb0, 0x06, 0xee]); // mov al, 6; out dx, al
  });

  it("refuses a garbage file, saying what it looked for", async () => {
    const garbage = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 31) & 0xff);
    await refuses(boot(garbage), "BOOT_FILE_INVALID", "boot.kernel", "kernel", "55 AA", "vmlinuz");
    await refuses(boot(Buffer.from("hello")), "BOOT_FILE_INVALID", "boot.kernel", "5 bytes");
  });

  it("says what to do with an ELF file and with a compressed one", async () => {
    await refuses(boot(elfFile()), "BOOT_FILE_INVALID", "elf()");
    await refuses(boot(Uint8Array.from([0x1f, 0x8b, ...new Array(2000).fill(0)])), "BOOT_FILE_INVALID", "unpack");
  });

  it("takes a kernel that ends within its last paragraph of 16 bytes, as memtest86+ does", async () => {
    const whole = bzImage();
    await boot(whole.subarray(0, whole.length - 15));
  });

  it("refuses a kernel cut off anywhere", async () => {
    const whole = bzImage();
    const load = (path: string) => loadBoot(linux({ kernel: path }), shape(512));
    assert.equal(await survivesTruncation(folder, whole, load, upTo(1100)), 1100);
    assert.equal(await survivesTruncation(folder, whole, load, upTo(whole.length, 97)), Math.ceil(whole.length / 97));
    await refuses(boot(whole.subarray(0, whole.length - 16)), "BOOT_FILE_TRUNCATED", "protected-mode part");
  });

  it("takes any damage to the header without failing otherwise than clearly", async () => {
    const load = (path: string) => loadBoot(linux({ kernel: path }), shape(512));
    await survivesDamage(folder, bzImage({ payloadBytes: 64 }), load, 0x268).catch((error) => assert.fail(error));
  });

  it("refuses what is too old, and a zImage", async () => {
    await refuses(boot(bzImage({ version: 0x205 })), "BOOT_UNSUPPORTED", "2.05");
    await refuses(boot(bzImage({ loadflags: 0 })), "BOOT_UNSUPPORTED", "zImage");
  });

  it("refuses a kernel that the machine has no room for, and says how much it needs", async () => {
    await refuses(boot(bzImage(), 16), "BOOT_NO_ROOM", "boot.kernel", "24 MiB", "16 MiB");
    await refuses(boot(bzImage({ initSizeBytes: 0xffffffff }), 4096), "BOOT_NO_ROOM");
  });

  it("refuses an initrd that does not fit beside the kernel", async () => {
    const initrd = await folder.write("initrd", cpioOf({ init: "x".repeat(9 * MIB) }));
    const source = linux({
      kernel: await folder.write("kernel", bzImage({ initSizeBytes: 0x0e00000 })),
      initrd: [initrd, initrd],
    });
    await refuses(loadBoot(source, shape(32)), "BOOT_NO_ROOM", "initrd", "more memory");
  });

  it("refuses files that are not there, not readable, or empty, by field", async () => {
    const kernel = await folder.write("kernel", bzImage());
    const load = (kernelPath: string, initrd: string[] = []) => loadBoot(linux({ kernel: kernelPath, initrd }), shape(512));
    const absent = join(folder.path, "absent");
    await refuses(load(absent), "BOOT_FILE_MISSING", "boot.kernel", absent);
    await refuses(load(kernel, [kernel, absent]), "BOOT_FILE_MISSING", "boot.initrd[1]", absent);
    await refuses(load(folder.path), "BOOT_FILE_UNREADABLE", "boot.kernel", "directory");
    await refuses(load(await folder.write("empty", "")), "BOOT_FILE_TRUNCATED", "boot.kernel", "empty");
    await refuses(load(join(kernel, "x")), "BOOT_FILE_MISSING", "boot.kernel");
  });

  it("refuses a command line that is too long, or holds a zero", async () => {
    await boot(bzImage(), 512, { append: "x".repeat(2047) });
    await refuses(boot(bzImage(), 512, { append: "x".repeat(2048) }), "BOOT_COMMAND_LINE", "2048", "2047");
    await refuses(boot(bzImage(), 512, { append: "a\0b" }), "BOOT_COMMAND_LINE", "zero byte");
  });
});

// Boot by Multiboot 1.

import { strict as assert } from "node:assert";
import { loadBoot, multiboot, pcMemoryMap } from "@ringzero/boot";
import {
  assertSound,
  elfFile,
  Folder,
  loaded,
  loadedString,
  MIB,
  multibootHeader,
  refuses,
  shape,
  survivesDamage,
  survivesTruncation,
  upTo,
  kernelEntry,
} from "./synthetic.js";

const LOAD = 0x100000;

/** A flat kernel whose header, at offset 16, says where it goes. */
function flatKernel(
  flags = 0,
  more: { loadEnd?: number; bssEnd?: number; entry?: number; load?: number; header?: number } = {},
): Uint8Array {
  const bytes = new Uint8Array(1024).fill(0x90);
  const load = more.load ?? LOAD;
  bytes.set(
    multibootHeader(flags, [more.header ?? load + 16, load, more.loadEnd ?? 0, more.bssEnd ?? 0, more.entry ?? load + 64]),
    16,
  );
  return bytes;
}

describe("multiboot", () => {
  const folder = new Folder();
  before(() => folder.make());
  after(() => folder.remove());
  const boot = async (kernel: Uint8Array, mib = 64, more: { modules?: string[]; append?: string } = {}) =>
    loadBoot(multiboot({ kernel: await folder.write("kernel", kernel), ...more }), shape(mib));

  it("enters 32-bit protected mode with the magic in EAX and the information in EBX", async () => {
    const image = await boot(flatKernel());
    assertSound(image, shape(64));
    const { registers } = image;
    assert.equal(registers.gpr[0], 0x2badb002n);
    assert.equal(kernelEntry(image), LOAD + 64);
    assert.equal(registers.cr0 & 0x80000001n, 1n);
    assert.equal(registers.rflags & 0x20200n, 0n);
    assert.equal(registers.cs.attributes & 0x400, 0x400);
    assert.equal(loaded(image, LOAD, 1024).getUint32(16, true), 0x1badb002);
  });

  it("leaves the words of the BIOS data area by which a kernel finds the end of conventional memory", async () => {
    const words = loaded(await boot(flatKernel()), 0x400, 0x20);
    assert.equal(words.getUint16(0x0e, true), 0x9fc0); // segment of the extended BIOS data area
    assert.equal(words.getUint16(0x13, true), 639); // KiB below it
  });

  it("loads from where the header's address says, to its load end, with a .bss", async () => {
    const image = await boot(
      flatKernel(0, { header: LOAD, load: LOAD, loadEnd: LOAD + 256, bssEnd: LOAD + 0x100000, entry: LOAD + 0x80 }),
    );
    const range = image.ranges.find(({ at }) => at === LOAD)!;
    assert.equal(range.bytes.length, 0x100000);
    assert.ok(
      range.bytes.subarray(256).every((byte) => byte === 0),
      "a .bss is zero at every boot, not only at the first",
    );
    assert.equal(new DataView(range.bytes.buffer, range.bytes.byteOffset).getUint32(0, true), 0x1badb002);
  });

  for (const is64Bit of [true, false]) {
    it(`loads a ${is64Bit ? 64 : 32}-bit ELF kernel, and takes a linear entry to its physical address`, async () => {
      const code = new Uint8Array(256);
      code.set(multibootHeader(3), 32);
      const linear = is64Bit ? 0xffffffff80100000n : 0xc0100000n;
      const image = await boot(elfFile({ is64Bit, code, physical: LOAD, linear, entry: linear + 0x40n }));
      assertSound(image, shape(64));
      assert.equal(kernelEntry(image), LOAD + 0x40);
    });
  }

  it("fills the information structure with what its flags announce", async () => {
    const one = await folder.write("one", "first");
    const two = await folder.write("two", "second!");
    const image = await boot(flatKernel(3), 64, { modules: [one, `${two} with words`], append: "a=b c" });
    assertSound(image, shape(64));
    const info = loaded(image, Number(image.registers.gpr[3]), 120);
    assert.equal(info.getUint32(0, true), 0x24d);
    assert.equal(info.getUint32(4, true), 639); // KiB below the extended BIOS data area
    assert.equal(info.getUint32(8, true), 63 * 1024);
    assert.match(loadedString(image, info.getUint32(16, true)), /kernel a=b c$/);
    assert.equal(info.getUint32(20, true), 2);
    const list = info.getUint32(24, true);
    const modules = [0, 1].map((i) => loaded(image, list + i * 16, 16));
    modules.forEach((module, i) => {
      const at = module.getUint32(0, true);
      assert.equal(at % 4096, 0);
      assert.equal(module.getUint32(4, true) - at, [5, 7][i]);
    });
    assert.equal(loadedString(image, modules[1]!.getUint32(8, true)), `${two} with words`);
    const map = pcMemoryMap(64 * MIB);
    assert.equal(info.getUint32(44, true), map.length * 24);
    map.forEach((entry, i) => {
      const view = loaded(image, info.getUint32(48, true) + i * 24, 24);
      assert.deepEqual(
        [view.getUint32(0, true), view.getBigUint64(4, true), view.getBigUint64(12, true), view.getUint32(20, true)],
        [20, BigInt(entry.at), BigInt(entry.sizeBytes), entry.type],
      );
    });
    assert.equal(loadedString(image, info.getUint32(64, true)), "Ringzero");
  });

  it("leaves an RSDP where a kernel scans for it", async () => {
    const image = await boot(flatKernel());
    let found = 0;
    for (let at = 0xe0000; at < 0x100000; at += 16) {
      const range = image.ranges.find((candidate) => candidate.at <= at && at + 8 <= candidate.at + candidate.bytes.length);
      if (range && Buffer.from(range.bytes.subarray(at - range.at, at - range.at + 8)).toString() === "RSD PTR ") found++;
    }
    assert.equal(found, 1);
  });

  it("finds a header only within 8 KiB, on a multiple of 4, with a right checksum", async () => {
    const at = (offset: number, header = multibootHeader(0, [LOAD + offset, LOAD, 0, 0, LOAD])) => {
      const bytes = new Uint8Array(16384);
      bytes.set(header, offset);
      return bytes;
    };
    await boot(at(8192 - 32));
    await refuses(boot(at(8192)), "BOOT_FILE_INVALID", "Multiboot header", "linux()");
    await refuses(boot(at(18)), "BOOT_FILE_INVALID", "Multiboot header");
    const wrong = multibootHeader(0, [LOAD, LOAD, 0, 0, LOAD]);
    wrong[8] = wrong[8]! ^ 1;
    await refuses(boot(at(0, wrong)), "BOOT_FILE_INVALID", "Multiboot header");
  });

  it("refuses what the kernel requires and is not offered", async () => {
    await refuses(boot(flatKernel(4)), "BOOT_UNSUPPORTED", "video mode");
    await refuses(boot(flatKernel(8)), "BOOT_UNSUPPORTED", "0x8");
  });

  it("refuses impossible addresses", async () => {
    await refuses(boot(flatKernel(0, { load: LOAD, header: LOAD - 4 })), "BOOT_FILE_INVALID", "behind its own header");
    await refuses(boot(flatKernel(0, { header: LOAD + 0x1000 })), "BOOT_FILE_INVALID", "before the start of the file");
    await refuses(boot(flatKernel(0, { loadEnd: LOAD - 1 })), "BOOT_FILE_INVALID", "load end");
    await refuses(boot(flatKernel(0, { loadEnd: LOAD + 0x10000 })), "BOOT_FILE_TRUNCATED", "text and data");
    await refuses(boot(flatKernel(0, { bssEnd: LOAD + 1 })), "BOOT_FILE_INVALID", "bss");
    await refuses(boot(flatKernel(0, { entry: 0 })), "BOOT_FILE_INVALID", "entry");
    await refuses(boot(flatKernel(0, { load: 0x10000000 })), "BOOT_NO_ROOM");
    const code = new Uint8Array(256);
    code.set(multibootHeader(), 0);
    await refuses(boot(elfFile({ code, entry: 0x500n })), "BOOT_FILE_INVALID", "entry");
    const flat = new Uint8Array(256);
    flat.set(multibootHeader(), 0);
    await refuses(boot(flat), "BOOT_FILE_INVALID", "not ELF");
  });

  it("refuses modules that are not there or do not fit, by field", async () => {
    await refuses(
      boot(flatKernel(), 64, { modules: ["/nonexistent/module arg"] }),
      "BOOT_FILE_MISSING",
      "boot.modules[0]",
      "/nonexistent/module:",
    );
    const big = await folder.write("big", new Uint8Array(2 * MIB));
    await refuses(boot(flatKernel(), 2, { modules: [big] }), "BOOT_NO_ROOM", "big");
  });

  it("refuses a file cut off anywhere, or takes what is left when its header allows that", async () => {
    const load = (path: string) => loadBoot(multiboot({ kernel: path }), shape(64));
    const whole = flatKernel(0, { loadEnd: LOAD + 1024 });
    assert.equal(await survivesTruncation(folder, whole, load, upTo(whole.length)), whole.length);
    await survivesTruncation(folder, flatKernel(), load, upTo(1024));
    const code = new Uint8Array(64);
    code.set(multibootHeader(), 0);
    await survivesTruncation(folder, elfFile({ code }), load, upTo(0x240));
  });

  it("takes any damage to the header without failing otherwise than clearly", async () => {
    await survivesDamage(folder, flatKernel(3), (path) => loadBoot(multiboot({ kernel: path }), shape(64)), 64);
  });
});

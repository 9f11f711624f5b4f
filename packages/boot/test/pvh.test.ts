// Boot of ELF kernels by their PVH entry.

import { strict as assert } from "node:assert";
import { elf, loadBoot, pcMemoryMap } from "@ringzero/boot";
import {
  assertSound,
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

describe("elf", () => {
  const folder = new Folder();
  before(() => folder.make());
  after(() => folder.remove());
  const boot = async (kernel: Uint8Array, mib = 64, more: { modules?: string[]; append?: string } = {}) =>
    loadBoot(elf({ kernel: await folder.write("kernel", kernel), ...more }), shape(mib));

  for (const is64Bit of [true, false]) {
    it(`enters 32-bit protected mode at the note of a ${is64Bit ? 64 : 32}-bit file, with EBX at the start info`, async () => {
      const image = await boot(elfFile({ is64Bit, pvhEntry: 0x200010, linear: is64Bit ? 0xffffffff80200000n : 0xc0200000n }));
      assertSound(image, shape(64));
      const { registers } = image;
      assert.equal(kernelEntry(image), 0x200010);
      assert.equal(registers.cr0 & 0x80000001n, 1n);
      assert.equal(registers.cr4, 0n);
      assert.equal(registers.efer, 0n);
      assert.equal(registers.rflags & 0x20300n, 0n); // VM, IF, TF
      assert.equal(registers.cs.limit, 0xffffffff);
      assert.equal(registers.cs.attributes & 0x400, 0x400);
      assert.equal(registers.tr.limit, 0x67);
      assert.equal(loaded(image, Number(registers.gpr[3]), 4).getUint32(0, true), 0x336ec578);
      assert.equal(loaded(image, 0x200000, 256).getUint8(255), 255);
    });
  }

  it("describes memory, modules, command line and ACPI in the start info", async () => {
    const modules = [await folder.write("one", "first"), await folder.write("two", "second!")];
    const image = await boot(elfFile({ pvhEntry: 0x200000 }), 64, { modules, append: "console=hvc0" });
    assertSound(image, shape(64));
    const info = loaded(image, Number(image.registers.gpr[3]), 56);
    assert.equal(info.getUint32(4, true), 1);
    assert.equal(info.getUint32(12, true), 2);
    const list = Number(info.getBigUint64(16, true));
    ["first", "second!"].forEach((content, i) => {
      const entry = loaded(image, list + i * 32, 32);
      assert.equal(Number(entry.getBigUint64(8, true)), content.length);
      assert.equal(loaded(image, Number(entry.getBigUint64(0, true)), content.length).getUint8(0), content.charCodeAt(0));
    });
    assert.equal(loadedString(image, Number(info.getBigUint64(24, true))), "console=hvc0");
    assert.equal(loaded(image, Number(info.getBigUint64(32, true)), 8).getUint32(0), 0x52534420); // "RSD "
    const map = pcMemoryMap(64 * MIB);
    assert.equal(info.getUint32(48, true), map.length);
    map.forEach((entry, i) => {
      const view = loaded(image, Number(info.getBigUint64(40, true)) + i * 24, 24);
      assert.deepEqual(
        [view.getBigUint64(0, true), view.getBigUint64(8, true), view.getUint32(16, true)],
        [BigInt(entry.at), BigInt(entry.sizeBytes), entry.type],
      );
    });
  });

  it("keeps modules out of a segment's .bss", async () => {
    const big = await folder.write("module", new Uint8Array(4 * MIB));
    const fits = await boot(elfFile({ pvhEntry: 0x200000, bssBytes: 8 * MIB }), 16, { modules: [big] });
    assertSound(fits, shape(16));
    const at = fits.ranges.find(({ bytes }) => bytes.length === 4 * MIB)!.at;
    assert.ok(at >= 0x200000 + 8 * MIB);
    await refuses(boot(elfFile({ pvhEntry: 0x200000, bssBytes: 11 * MIB }), 16, { modules: [big] }), "BOOT_NO_ROOM", "module");
  });

  it("refuses a kernel without a PVH note, and says what else to do", async () => {
    await refuses(boot(elfFile()), "BOOT_UNSUPPORTED", "boot.kernel", "PVH", "multiboot()");
  });

  it("refuses an entry outside of what is loaded", async () => {
    await refuses(boot(elfFile({ pvhEntry: 0x900000 })), "BOOT_FILE_INVALID", "0x900000");
  });

  it("refuses other machines, and what is no ELF file", async () => {
    await refuses(boot(elfFile({ machine: 183 })), "BOOT_FILE_INVALID", "machine 183");
    await refuses(boot(Buffer.from("#!/bin/sh\necho this is a script and no kernel\n")), "BOOT_FILE_INVALID", "7F 45 4C 46");
  });

  it("refuses segments outside memory", async () => {
    await refuses(boot(elfFile({ pvhEntry: 0x8000000, physical: 0x8000000 })), "BOOT_NO_ROOM", "129 MiB");
    await refuses(boot(elfFile({ pvhEntry: 0xb0000, physical: 0xb0000 })), "BOOT_NO_ROOM");
    await refuses(boot(elfFile({ pvhEntry: 0x6000, physical: 0x6000 })), "BOOT_NO_ROOM", "overwrite");
  });

  it("refuses a file cut off anywhere", async () => {
    for (const is64Bit of [true, false]) {
      const whole = elfFile({ is64Bit, pvhEntry: 0x200000 });
      const refused = await survivesTruncation(
        folder,
        whole,
        (path) => loadBoot(elf({ kernel: path }), shape(64)),
        upTo(whole.length),
      );
      assert.equal(refused, whole.length);
    }
  });

  it("takes any damage to the headers without failing otherwise than clearly", async () => {
    for (const is64Bit of [true, false]) {
      const whole = elfFile({ is64Bit, pvhEntry: 0x200000 });
      await survivesDamage(folder, whole, (path) => loadBoot(elf({ kernel: path }), shape(64)), 0x1a0);
    }
  });
});

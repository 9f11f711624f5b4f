// Firmware images at the reset vector.

import { strict as assert } from "node:assert";
import { firmware, loadBoot } from "@ringzero/boot";
import { assertSound, Folder, loaded, refuses, shape } from "./synthetic.js";

const rom = (sizeBytes: number) => {
  const bytes = Uint8Array.from({ length: sizeBytes }, (_, i) => (i >> 8) & 0xff);
  bytes[sizeBytes - 16] = 0xea; // a far jump at the reset vector
  return bytes;
};

describe("firmware", () => {
  const folder = new Folder();
  before(() => folder.make());
  after(() => folder.remove());
  const boot = async (image: Uint8Array) => loadBoot(firmware({ image: await folder.write("rom", image) }), shape(64));

  for (const kib of [4, 64, 128, 256, 4096, 16384]) {
    it(`maps ${kib} KiB so that they end at 4 GiB, with a copy of the last 256 KiB below 1 MiB`, async () => {
      const bytes = rom(kib * 1024);
      const image = await boot(bytes);
      assertSound(image, shape(64));
      assert.deepEqual(image.rom, [{ at: 2 ** 32 - bytes.length, sizeBytes: bytes.length, readOnly: true }]);
      const { cs, rip } = image.registers;
      assert.equal(loaded(image, Number(cs.base + rip), 1).getUint8(0), 0xea);
      assert.equal(loaded(image, 0xffff0, 1).getUint8(0), 0xea);
      const copy = Math.min(bytes.length, 256 * 1024);
      assert.equal(image.ranges.find(({ at }) => at === 0x100000 - copy)?.bytes.length, copy);
    });
  }

  it("starts in real mode as after RESET", async () => {
    const { registers } = await boot(rom(65536));
    assert.equal(registers.cs.selector, 0xf000);
    assert.equal(registers.cs.base, 0xffff0000n);
    assert.equal(registers.rip, 0xfff0n);
    assert.equal(registers.cr0, 0x60000010n);
    assert.equal(registers.rflags, 2n);
    assert.deepEqual([registers.ds.base, registers.ds.limit, registers.idtr.limit], [0n, 0xffff, 0xffff]);
  });

  it("refuses sizes that no flash has", async () => {
    await refuses(boot(rom(65536 + 1)), "BOOT_FILE_INVALID", "boot.image", "65537", "multiple of 4096");
    await refuses(boot(new Uint8Array(17 * 2 ** 20)), "BOOT_FILE_INVALID", "16 MiB");
    await refuses(boot(new Uint8Array(0)), "BOOT_FILE_TRUNCATED", "empty");
    await refuses(loadBoot(firmware({ image: "/nonexistent/rom" }), shape(64)), "BOOT_FILE_MISSING", "boot.image");
  });
});

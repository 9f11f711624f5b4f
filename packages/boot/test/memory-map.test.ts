// What guests are told about memory, and the plain files in which a boot image can be written out.

import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pcRamLayout } from "@ringzero/api";
import { directBoot, E820, firmware, flattenBootImage, linux, pcMemoryMap } from "@ringzero/boot";
import { bzImage, Folder, MIB, refuses, shape } from "./synthetic.js";

describe("memory map", () => {
  for (const mib of [2, 64, 512, 3071, 3072, 3073, 4096, 65536]) {
    it(`is in order, without overlap, and within RAM for ${mib} MiB`, () => {
      const map = pcMemoryMap(mib * MIB);
      const ram = pcRamLayout(mib * MIB);
      let end = 0;
      let usable = 0;
      for (const entry of map) {
        assert.ok(entry.sizeBytes > 0 && entry.at >= end);
        end = entry.at + entry.sizeBytes;
        if (entry.type !== E820.ram) continue;
        usable += entry.sizeBytes;
        assert.ok(ram.some((range) => entry.at >= range.at && end <= range.at + range.sizeBytes));
      }
      assert.equal(usable, mib * MIB - 0x100000 + 0x9fc00);
    });
  }
});

describe("boot plugin", () => {
  it("serves every kind of source, and refuses others", async () => {
    assert.deepEqual([...directBoot.sources].sort(), ["elf", "firmware", "linux", "multiboot"]);
    await refuses(directBoot.load({ kind: "floppy" } as never, shape(64)), "BOOT_UNSUPPORTED", "floppy");
    await refuses(directBoot.load(firmware({ image: "/nonexistent" }), shape(64)), "BOOT_FILE_MISSING");
  });
});

describe("flattened boot image", () => {
  it("names memory, files and registers, one a line", async () => {
    const folder = new Folder();
    await folder.make();
    try {
      const image = await directBoot.load(linux({ kernel: await folder.write("kernel", bzImage()), append: "quiet" }), shape(64));
      const path = await flattenBootImage(image, shape(64), join(folder.path, "out"));
      const lines = (await readFile(path, "utf8")).trim().split("\n");
      assert.ok(lines.includes("memory 0 a0000"));
      assert.ok(lines.includes(`reg rip ${image.registers.rip.toString(16)}`));
      assert.ok(lines.includes("seg cs 10 0 ffffffff a9b"));
      for (const line of lines.filter((text) => text.startsWith("load "))) {
        const [, at, file] = line.split(" ");
        const range = image.ranges.find((candidate) => candidate.at === Number.parseInt(at!, 16));
        assert.deepEqual(new Uint8Array(await readFile(join(folder.path, "out", file!))), new Uint8Array(range!.bytes));
      }
    } finally {
      await folder.remove();
    }
  });
});

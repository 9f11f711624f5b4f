// Which files are taken as an initrd, and that one cut off is noticed before a guest starts on it.

import { strict as assert } from "node:assert";
import { gzipSync } from "node:zlib";
import { linux, loadBoot } from "@ringzero/boot";
import { cpioOf, needs, pipeThrough } from "./archives.js";
import { bzImage, Folder, refuses, shape, survivesTruncation, upTo } from "./synthetic.js";

describe("initrd", () => {
  const folder = new Folder();
  let kernel: string;
  before(async () => {
    await folder.make();
    kernel = await folder.write("kernel", bzImage());
  });
  after(() => folder.remove());
  const loadPath = (path: string) => loadBoot(linux({ kernel, initrd: [path] }), shape(512));
  const load = async (bytes: Uint8Array) => loadPath(await folder.write("initrd", bytes));

  const archive = cpioOf({
    init: "#!/bin/sh\n",
    data: Array.from({ length: 3000 }, (_, i) => String((i * 7919) % 1000)).join(""),
  });
  /** Compressed by a program of the host. */
  const formats = {
    gzip: ["gzip", ["-c"]],
    xz: ["xz", ["-c", "--check=crc32"]],
    zstd: ["zstd", ["-c", "-q"]],
    bzip2: ["bzip2", ["-c"]],
  } as const;

  it("takes a plain archive", async () => void (await load(archive)));

  for (const [format, [program, args]] of Object.entries(formats)) {
    it(`takes one compressed with ${format}`, async function () {
      needs(this, program);
      await load(pipeThrough(program, args, archive));
    });
  }

  it("takes one compressed with lz4, in the framing that kernels read", async () => {
    const block = Buffer.from([0x10, 0x41, 0x00]); // one literal
    const bytes = Buffer.concat([Buffer.from([0x02, 0x21, 0x4c, 0x18, block.length, 0, 0, 0]), block]);
    await load(bytes);
    await refuses(load(bytes.subarray(0, bytes.length - 1)), "BOOT_FILE_TRUNCATED", "lz4");
  });

  it("takes microcode before the rest, and zeros between and after", async () => {
    const microcode = cpioOf({ "kernel/x86/microcode/AuthenticAMD.bin": "abc" });
    await load(Buffer.concat([microcode, Buffer.alloc(512), gzipSync(archive)]));
    await load(Buffer.concat([microcode, archive, Buffer.alloc(4096)]));
    await refuses(
      load(Buffer.concat([microcode, Buffer.from("garbage")])),
      "BOOT_FILE_INVALID",
      "boot.initrd[0]",
      String(microcode.length),
    );
    const broken = gzipSync(archive);
    await refuses(load(Buffer.concat([microcode, broken.subarray(0, broken.length / 2)])), "BOOT_FILE_TRUNCATED", "gzip");
  });

  it("refuses garbage, zeros, and a kernel", async () => {
    await refuses(load(Buffer.from("this is no archive")), "BOOT_FILE_INVALID", "boot.initrd[0]", "initramfs");
    await refuses(load(Buffer.alloc(10_000)), "BOOT_FILE_INVALID", "zeros");
    await refuses(loadPath(kernel), "BOOT_FILE_INVALID", "boot.initrd[0]");
    await refuses(load(new Uint8Array(0)), "BOOT_FILE_TRUNCATED", "empty");
  });

  it("refuses a plain archive cut off before its trailer, and names the member", async () => {
    const end = archive.indexOf("TRAILER!!!".charCodeAt(0), archive.length - 512);
    assert.ok(end > 0);
    await survivesTruncation(folder, archive, loadPath, upTo(600));
    await refuses(load(archive.subarray(0, archive.length / 2)), "BOOT_FILE_TRUNCATED", '"data"');
  });

  it("refuses a damaged member", async () => {
    const damaged = Uint8Array.from(archive);
    damaged.set(Buffer.from("zzzzzzzz"), 54); // the size of the first member
    await refuses(load(damaged), "BOOT_FILE_INVALID", "offset 0");
  });

  for (const format of ["gzip", "xz", "zstd"] as const) {
    it(`refuses a ${format} archive cut off anywhere`, async function () {
      const [program, args] = formats[format];
      needs(this, program);
      const whole = pipeThrough(program, args, archive);
      const lengths = [...upTo(whole.length, Math.ceil(whole.length / 60)), whole.length - 1];
      assert.equal(await survivesTruncation(folder, whole, loadPath, lengths), lengths.length);
      await refuses(load(whole.subarray(0, whole.length / 2)), "BOOT_FILE_TRUNCATED", format);
    });
  }

  it("refuses a gzip archive whose content does not match its checksum", async () => {
    const damaged = gzipSync(archive);
    damaged[damaged.length - 8] = damaged[damaged.length - 8]! ^ 0xff;
    await refuses(load(damaged), "BOOT_FILE_INVALID", "damaged");
  });
});

// The cpio writer and the BusyBox initramfs made with it, held against the host's own cpio and shell.

import { strict as assert } from "node:assert";
import { mkdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { busyboxInitramfs, CpioArchive } from "@ringzero/boot";
import { hostHas, needs, pipeThrough } from "./archives.js";
import { elfFile, Folder, refuses } from "./synthetic.js";

describe("cpio archive", () => {
  it("lists in the host's cpio as it was written", function () {
    needs(this, "cpio");
    const archive = new CpioArchive()
      .file("a/b/deep.txt", "content")
      .symlink("link", "a/b/deep.txt")
      .device("dev/console", "character", 5, 1)
      .device("dev/vda", "block", 254, 0)
      .directory("empty", 0o700)
      .file("odd", "123", 0o755);
    const listing = pipeThrough("cpio", ["-itv", "--numeric-uid-gid", "--quiet"], archive.toBytes()).toString();
    const lines = listing
      .trim()
      .split("\n")
      .map((line) => line.replace(/\s+/g, " "));
    const described = lines.map((line) => [line.split(" ")[0], line.replace(/^.* 1970 /, "")]);
    assert.deepEqual(described, [
      ["drwxr-xr-x", "a"],
      ["drwxr-xr-x", "a/b"],
      ["-rw-r--r--", "a/b/deep.txt"],
      ["lrwxrwxrwx", "link -> a/b/deep.txt"],
      ["drwxr-xr-x", "dev"],
      ["crw-------", "dev/console"],
      ["brw-------", "dev/vda"],
      ["drwx------", "empty"],
      ["-rwxr-xr-x", "odd"],
    ]);
    assert.match(listing, /5,\s+1.*dev\/console/);
  });

  it("unpacks with the host's cpio to the same bytes", async function () {
    needs(this, "cpio");
    const folder = new Folder();
    await folder.make();
    try {
      const content = Uint8Array.from({ length: 100_001 }, (_, i) => (i * 7) & 0xff);
      const bytes = new CpioArchive().file("d/data", content).symlink("d/link", "data").toBytes();
      const to = join(folder.path, "out");
      await mkdir(to);
      pipeThrough("cpio", ["-id", "--quiet"], bytes, to);
      assert.deepEqual(new Uint8Array(await readFile(join(to, "d/data"))), content);
      assert.equal(await readlink(join(to, "d/link")), "data");
    } finally {
      await folder.remove();
    }
  });

  it("gives the same bytes for the same calls, in whole blocks", () => {
    const make = () => new CpioArchive().file("x", "1").device("n", "character", 1, 3).toBytes();
    assert.deepEqual(make(), make());
    assert.equal(make().length % 512, 0);
  });

  it("refuses names that an archive cannot have, and the same name twice", () => {
    for (const path of ["", "/absolute", "trailing/", "zero\0"]) assert.throws(() => new CpioArchive().file(path, ""), TypeError);
    assert.throws(() => new CpioArchive().file("a", "").file("a", ""), TypeError);
  });
});

describe("BusyBox initramfs", () => {
  const folder = new Folder();
  let busybox: string;
  before(async () => {
    await folder.make();
    busybox = await folder.write("busybox", elfFile()); // static by having no interpreter
  });
  after(() => folder.remove());

  const unpack = async (bytes: Uint8Array, name: string) => {
    const to = join(folder.path, `${name}-out`);
    await mkdir(to);
    pipeThrough("cpio", ["-id", "--quiet", "--no-absolute-filenames", "init", "etc/*", "bin/*", "sbin/*"], bytes, to);
    return to;
  };

  it("has a first process that is a right shell script, for a session and for a shell", async function () {
    needs(this, "cpio");
    for (const [name, commands] of [
      ["shell", undefined],
      ["session", ["uname -a", "echo 'it''s'", "false || true"]],
    ] as const) {
      const root = await unpack(await busyboxInitramfs({ busybox, ...(commands ? { commands } : {}) }), name);
      pipeThrough("sh", ["-n", join(root, "init")], new Uint8Array(0));
      const init = await readFile(join(root, "init"), "utf8");
      assert.match(init, /^#!\/bin\/sh\n/);
      assert.match(init, /poweroff -f\n$/);
      assert.equal(await readlink(join(root, "bin/sh")), "busybox");
      if (commands) pipeThrough("sh", ["-n", join(root, "etc/session")], new Uint8Array(0));
    }
  });

  it("runs commands in order, shows each, and ends at the first that fails with its status", async function () {
    needs(this, "cpio");
    const commands = ["echo one; echo 'a b'", "x=1", 'echo "x is [$x]"', "exit 7", "echo never"];
    const root = await unpack(await busyboxInitramfs({ busybox, commands }), "run");
    assert.throws(() => pipeThrough("sh", [join(root, "etc/session")], new Uint8Array(0)));
    const shown = pipeThrough("sh", ["-c", `sh ${join(root, "etc/session")} || echo status $?`], new Uint8Array(0)).toString();
    assert.equal(shown, "# echo one; echo 'a b'\none\na b\n# x=1\n# echo \"x is [$x]\"\nx is []\n# exit 7\nstatus 7\n");
  });

  it("brings a program for debug-exit that this host's kernel takes as one", async function () {
    needs(this, "cpio");
    if (process.platform !== "linux" || process.arch !== "x64" || !hostHas("od")) this.skip();
    const root = await unpack(await busyboxInitramfs({ busybox, debugExitPort: 0x501 }), "exit");
    const program = await readFile(join(root, "sbin/debug-exit"));
    assert.equal(program.subarray(0, 4).toString("latin1"), "\x7fELF");
    assert.equal(program.readUInt32LE(program.indexOf(Buffer.from([0x89, 0xd8, 0xee])) - 4), 0x501);
  });

  it("adds files, and is the same every time", async () => {
    const make = () => busyboxInitramfs({ busybox, files: [{ path: "opt/x", content: "hello", executable: true }] });
    const bytes = await make();
    assert.ok(Buffer.from(bytes).includes("hello"));
    assert.deepEqual(bytes, await make());
  });

  it("takes a BusyBox for i386, for 32-bit kernels, and then the program of the debug-exit port is one for i386 too", async () => {
    const bytes = await busyboxInitramfs({ busybox: await folder.write("busybox-i386", elfFile({ is64Bit: false })) });
    const programs: number[] = [];
    const all = Buffer.from(bytes);
    for (let at = all.indexOf("\x7fELF"); at >= 0; at = all.indexOf("\x7fELF", at + 4)) programs.push(all.readUInt16LE(at + 18));
    assert.deepEqual(programs, [3, 3]);
  });

  it("refuses a BusyBox that is missing, no program, for another machine, dynamically linked, or cut off", async () => {
    const make = async (bytes: Uint8Array | string) => busyboxInitramfs({ busybox: await folder.write("bad", bytes) });
    await refuses(busyboxInitramfs({ busybox: join(folder.path, "absent") }), "BOOT_FILE_MISSING", "busybox", "absent");
    await refuses(make("#!/bin/sh\n"), "BOOT_FILE_INVALID", "not an ELF program", "busybox-static");
    await refuses(make(elfFile({ machine: 183 })), "BOOT_FILE_INVALID", "x86");
    await refuses(make(elfFile({ machine: 3 })), "BOOT_FILE_INVALID", "x86");
    const dynamic = elfFile({ pvhEntry: 0 });
    dynamic[120] = 3; // the second program header becomes an interpreter
    await refuses(make(dynamic), "BOOT_FILE_INVALID", "dynamically linked");
    const whole = elfFile();
    for (let length = 1; length < whole.length; length += 7) await refuses(make(whole.subarray(0, length)), "BOOT_FILE_INVALID");
  });
});

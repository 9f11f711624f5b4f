// Debian's Python and C compiler in a guest: Python computes what the same Python computes on the host, and a program that the guest
// compiles prints what it must.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { debianPackages } from "../guest-images/debian-packages.js";
import { filesInitramfs, treeInitramfs } from "../guest-images/file-tree.js";
import { COMPILER_PACKAGES, PYTHON_PACKAGES } from "../guest-images/userland.js";
import { guestImages, LinuxGuest } from "./linux-guest.js";

const workload = (name: string) => fileURLToPath(new URL(`../../guest-images/${name}`, import.meta.url));

describe("Debian programs in a guest of the binary translator", function () {
  this.timeout(300_000);

  describe("Python", () => {
    let guest: LinuxGuest;
    let tree: string | null;
    before(async function () {
      const images = await guestImages();
      tree = await debianPackages({ packages: PYTHON_PACKAGES });
      if (!images || !tree) return this.skip();
      const script = filesInitramfs({ "root/workload.py": await readFile(workload("python-workload.py")) });
      guest = await LinuxGuest.boot(images, { cpuProfile: "x86-64-v3", initramfs: [await treeInitramfs(tree), script] });
    });
    after(() => guest?.dispose());

    it("computes in the guest what it computes on the host", async () => {
      const libraries = join(tree!, "usr/lib/x86_64-linux-gnu");
      const { stdout } = await promisify(execFile)(
        join(libraries, "ld-linux-x86-64.so.2"),
        ["--library-path", libraries, join(tree!, "usr/bin/python3.11"), workload("python-workload.py")],
        { env: { PYTHONHOME: join(tree!, "usr"), PYTHONDONTWRITEBYTECODE: "1", LC_ALL: "C" } },
      );
      assert.ok(stdout.split("\n").length > 10, stdout);
      assert.equal(await guest.shell("LC_ALL=C python3.11 workload.py", 120_000), stdout);
    });
  });

  describe("the C compiler", () => {
    let guest: LinuxGuest;
    before(async function () {
      const images = await guestImages();
      const tree = await debianPackages({ packages: COMPILER_PACKAGES });
      if (!images || !tree) return this.skip();
      const unwanted = /^usr\/(lib\/gcc\/.*\/(lto1|lto-wrapper|.*san.*)|share\/|lib\/x86_64-linux-gnu\/(lib.*\.a|gconv\/.*))$/;
      const needed = /libc_nonshared\.a$/;
      const files = await treeInitramfs(tree, (path) => needed.test(path) || !unwanted.test(path));
      const source = filesInitramfs({ "root/program.c": await readFile(workload("compiled-program.c")) });
      guest = await LinuxGuest.boot(images, { memory: "1GiB", cpuProfile: "x86-64-v3", initramfs: [files, source] });
    });
    after(() => guest?.dispose());

    for (const options of ["-O0", "-O2", "-O3 -march=x86-64-v3"]) {
      it(`makes a program with ${options} that checks itself`, async () => {
        assert.equal(await guest.shell(`gcc-12 ${options} -o program program.c && ./program`, 120_000), "sum f693099aafa1e795\n");
      });
    }
  });
});

// Stock 32-bit Debian kernels, with and without PAE: paging of two and three levels, segments, SYSENTER, a 32-bit BusyBox. They compute
// what the host's BusyBox computes, and complain of nothing.

import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { debianPackages } from "../guest-images/debian-packages.js";
import { guestImages, LinuxGuest } from "./linux-guest.js";

for (const kernel of ["linux-image-686-pae", "linux-image-686"]) {
  describe(`Debian's 32-bit kernel ${kernel} on the binary translator`, function () {
    this.timeout(300_000);
    let guest: LinuxGuest;

    before(async function () {
      const images = await guestImages();
      const [system, busybox] = [
        await debianPackages({ packages: [`${kernel}*`], architecture: "i386" }),
        await debianPackages({ packages: ["busybox-static"], architecture: "i386" }),
      ];
      if (!images || !system || !busybox) return this.skip();
      const image = (await readdir(join(system, "boot"))).find((file) => file.startsWith("vmlinuz-"))!;
      guest = await LinuxGuest.boot(images, { kernel: join(system, "boot", image), busybox: join(busybox, "bin/busybox") });
    });
    after(() => guest?.dispose());

    it("is a 32-bit system", async () => {
      assert.equal(await guest.shell("uname -m"), "i686\n");
      assert.equal(/\bpae\b/.test(await guest.shell("uname -r")), kernel.endsWith("pae"));
    });

    it("computes what the host computes", async () => {
      const line =
        "seq 1 20000 | awk '{ print ($1 * 7919) % 20011 }' | sort -n | gzip -c | gunzip -c | sha1sum; i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo $i | cat; done | md5sum";
      assert.equal(await guest.shell(line), await guest.onHost(line));
    });

    it("has no oops, no warning and no crashed process in its log", async () => {
      assert.equal(await guest.shell("dmesg | grep -E 'WARNING|BUG:|Oops|segfault|Call Trace|Firmware Bug' || true"), "");
    });
  });
}

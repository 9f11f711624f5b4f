// Kernels that are not Linux: memtest86+ in 64 and in 32 bits finds the machine's memory sound, and Xen, a Multiboot kernel, runs a
// Debian kernel as its paravirtualized domain 0, whose kernel is in ring 3.

import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { busyboxInitramfs, linux, multiboot } from "@ringzero/boot";
import { defineMachine, Ringzero } from "@ringzero/core";
import { debianPackages } from "../guest-images/debian-packages.js";
import { guestImages } from "./linux-guest.js";

describe("memtest86+ on the binary translator", function () {
  this.timeout(120_000);

  for (const variant of ["x64", "ia32"]) {
    it(`tests 16 MiB without an error, memtest86+${variant}`, async function () {
      const tree = await debianPackages({ packages: ["memtest86+"] });
      if (!tree) return this.skip();
      await using sdk = new Ringzero({ discover: import.meta.url });
      const spec = defineMachine({
        name: "memtest",
        memory: "16MiB",
        boot: linux({ kernel: join(tree, `boot/memtest86+${variant}.bin`), append: "console=ttyS0,115200" }),
      });
      await using machine = await sdk.create(spec, { backend: "bt" });
      let screen = "";
      machine.on("console", ({ bytes }) => (screen += Buffer.from(bytes).toString("latin1")));
      await machine.start();
      // The fifth of its tests or a later one (a fast one is over before the screen shows it); by then it has moved itself through
      // memory and written all of it many times.
      await machine.console().waitFor(/#(?:[4-9]|1\d) /, { timeoutMs: 100_000 });
      // The screen is drawn with cursor movements between the words.
      const words = screen.replaceAll(/\x1b\[[0-9;]*[A-Za-z]/g, " ");
      assert.match(words, /Errors:\s+0/);
      assert.doesNotMatch(words, /Errors:\s+[1-9]|FAIL/);
    });
  }
});

describe("Xen on the binary translator", function () {
  this.timeout(200_000);

  it("boots, runs a Debian kernel as its first domain, and powers off with it", async function () {
    const images = await guestImages();
    const xen = await debianPackages({ packages: ["xen-hypervisor-4.17-amd64"] });
    const debian = await debianPackages({ packages: ["linux-image-amd64*"] });
    if (!images || !xen || !debian) return this.skip();
    const folder = await mkdtemp(join(tmpdir(), "ringzero-xen-"));
    try {
      const kernel = join(folder, "xen");
      const initrd = join(folder, "initrd.cpio");
      const packed = await readFile(join(xen, "boot/xen-4.17-amd64.gz"));
      await writeFile(kernel, await promisify(gunzip)(packed));
      await writeFile(
        initrd,
        await busyboxInitramfs({
          busybox: images.busybox,
          commands: ["uname -m", "cat /sys/hypervisor/type /sys/hypervisor/guest_type"],
        }),
      );
      const boot = join(debian, "boot");
      const image = join(boot, (await readdir(boot)).find((file) => file.startsWith("vmlinuz-"))!);
      await using sdk = new Ringzero({ discover: import.meta.url });
      const spec = defineMachine({
        name: "xen",
        memory: "768MiB",
        boot: multiboot({
          kernel,
          modules: [`${image} console=hvc0 quiet`, initrd],
          append: "com1=115200,8n1 console=com1 noreboot",
        }),
      });
      await using machine = await sdk.create(spec, { backend: "bt" });
      let said = "";
      machine.on("console", ({ bytes }) => (said += Buffer.from(bytes).toString("latin1")));
      await machine.start({ timeoutMs: 180_000 });
      const exit = await machine.exited;
      assert.match(said, /\(XEN\) Dom0 has maximum 1 VCPUs/, said.slice(-3000));
      assert.match(said, /xen\s+PV\s/);
      assert.match(said, /x86_64/);
      assert.equal(exit.reason, "powered-off");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

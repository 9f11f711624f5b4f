// This host's own Node, inside the guest: V8 writes code and runs it, patches it, throws it away, and collects garbage; OpenSSL and zlib
// pick their code by CPUID. The same script prints the same digests in the guest as on the host.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { filesInitramfs, hostProgramInitramfs } from "../guest-images/file-tree.js";
import { guestImages, LinuxGuest } from "./linux-guest.js";

const SCRIPT = fileURLToPath(new URL("../../guest-images/jit-workload.cjs", import.meta.url));

describe("Node inside a guest of the binary translator", function () {
  this.timeout(300_000);
  let guest: LinuxGuest;

  before(async function () {
    const images = await guestImages();
    const node = await hostProgramInitramfs(process.execPath);
    if (!node) console.log("      skipped: cannot tell which libraries Node needs (ldd)");
    if (!images || !node) return this.skip();
    guest = await LinuxGuest.boot(images, {
      memory: "1GiB",
      cpuProfile: "x86-64-v3",
      initramfs: [node, filesInitramfs({ "root/jit-workload.cjs": await readFile(SCRIPT) })],
    });
  });
  after(() => guest?.dispose());

  it("prints the digests that it prints on the host", async () => {
    const onHost = execFileSync(process.execPath, [SCRIPT], { encoding: "utf8" });
    assert.equal(await guest.shell(`${process.execPath} jit-workload.cjs 2>/dev/null`, 200_000), onHost);
  });

  it("leaves nothing in the kernel's log", async () => {
    assert.equal(await guest.shell("dmesg | grep -E 'traps:|segfault|BUG:|WARNING' || true"), "");
  });
});

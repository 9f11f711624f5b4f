// stress-ng verifies its own results: each of these stressors works for a moment and says whether anything came out wrong.

import assert from "node:assert/strict";
import { STRESS_NG_BOUNDS, STRESS_NG_PACKAGES, stressors } from "../guest-images/stress-ng.js";
import { debianPackages } from "../guest-images/debian-packages.js";
import { treeInitramfs } from "../guest-images/file-tree.js";
import { guestImages, LinuxGuest } from "./linux-guest.js";

describe("stress-ng --verify in a guest of the binary translator", function () {
  this.timeout(300_000);
  let guest: LinuxGuest;

  before(async function () {
    const images = await guestImages();
    const tree = await debianPackages({ packages: STRESS_NG_PACKAGES });
    if (!images || !tree) return this.skip();
    guest = await LinuxGuest.boot(images, { cpuProfile: "x86-64-v3", memory: "1GiB", initramfs: [await treeInitramfs(tree)] });
    await guest.shell("mount -t tmpfs t /tmp; mkdir -p /dev/shm; mount -t tmpfs t /dev/shm; cd /tmp");
  });
  after(() => guest?.dispose());

  for (const [subject, names] of Object.entries(stressors)) {
    it(`finds nothing wrong with ${subject}`, async () => {
      // All at once on one processor; the log names what fails.
      const each = names.map((name) => `--${name} 1`).join(" ");
      const said = await guest.shell(
        `stress-ng ${each} ${STRESS_NG_BOUNDS} -t 4s --verify > /tmp/log 2>&1 || { echo "ended with $?"; cat /tmp/log; }`,
        120_000,
      );
      assert.equal(said, "");
    });
  }

  it("leaves nothing in the kernel's log", async () => {
    assert.equal(await guest.shell("dmesg | grep -E 'WARNING|BUG:|Oops|Call Trace|soft lockup' || true"), "");
  });
});

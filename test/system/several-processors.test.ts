// A stock kernel with several processors: all come up, work in parallel, can be taken out and put back, and code that the kernel
// patches while they run stays right. The machine that tests this may have fewer cores than the guest has processors.

import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import type { DebianImages } from "@ringzero/boot";
import { guestImages, LinuxGuest } from "./linux-guest.js";

/** One checksum of the same bytes by each of `jobs` processes at once; every line must be equal. */
const parallelSums = (jobs: number): string =>
  `for i in $(seq ${jobs}); do (seq 20000 | sha256sum > /tmp/sum$i) & done; wait; cat /tmp/sum* | sort -u | wc -l`;

for (const cpus of [2, 8]) {
  describe(`Linux on ${cpus} processors`, function () {
    this.timeout(600_000);
    let images: DebianImages | null;
    let guest: LinuxGuest | undefined;

    before(async function () {
      images = await guestImages();
      if (images === null) this.skip();
      guest = await LinuxGuest.boot(images, { cpus });
    });
    after(async () => guest?.dispose());

    it("brings all of them up", async () => {
      assert.equal((await guest!.shell("nproc")).trim(), String(cpus));
      assert.equal((await guest!.shell("grep -c ^processor /proc/cpuinfo")).trim(), String(cpus));
    });

    it("gives the same results on all of them at once", async () => {
      assert.equal((await guest!.shell(parallelSums(2 * cpus), 300_000)).trim(), "1");
    });

    it("takes a processor out and puts it back", async () => {
      const online = `/sys/devices/system/cpu/cpu${cpus - 1}/online`;
      await guest!.shell(`echo 0 > ${online}`, 120_000);
      assert.equal((await guest!.shell("nproc")).trim(), String(cpus - 1));
      await guest!.shell(`echo 1 > ${online}`, 120_000);
      assert.equal((await guest!.shell("nproc")).trim(), String(cpus));
      assert.equal((await guest!.shell(`taskset ${(1 << (cpus - 1)).toString(16)} echo here`)).trim(), "here");
    });

    it("goes on while the kernel patches code that runs on all of them", async () => {
      // Static keys behind these files are switched by patching jumps in live code.
      const keys =
        "for i in $(seq 5); do echo 1 > /proc/sys/kernel/sched_schedstats; echo 0 > /proc/sys/kernel/sched_schedstats; done";
      assert.equal((await guest!.shell(`${keys} & ${parallelSums(cpus)}`, 300_000)).trim(), "1");
    });
  });
}

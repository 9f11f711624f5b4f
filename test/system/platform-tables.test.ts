// What a stock kernel finds of its machine: memory types that "the firmware" has set on every processor, and with ACPI off the
// MultiProcessor table's processors and interrupt lines.

import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { debianPackages } from "../guest-images/debian-packages.js";
import { guestImages, LinuxGuest } from "./linux-guest.js";

const COMPLAINTS = "WARNING|BUG|Oops|Call Trace|Firmware Bug|unchecked MSR|MTRRs disabled|MTRRs all blank|inconsistent|your BIOS";

for (const cpus of [1, 2]) {
  for (const append of ["", "acpi=off"]) {
    describe(`Linux on ${cpus} processor(s)${append ? ` with ${append}` : ""}`, function () {
      this.timeout(300_000);
      let guest: LinuxGuest | undefined;

      before(async function () {
        const images = await guestImages();
        // Debian's cloud kernel cannot do without ACPI.
        const system = await debianPackages({ packages: ["linux-image-amd64*"] });
        if (!images || !system) return this.skip();
        const kernel = (await readdir(join(system, "boot"))).find((file) => file.startsWith("vmlinuz-"))!;
        guest = await LinuxGuest.boot(images, { kernel: join(system, "boot", kernel), cpus, append });
      });
      after(async () => guest?.dispose());

      it("finds them all, and the interrupt lines", async () => {
        assert.equal((await guest!.shell("nproc")).trim(), String(cpus));
        assert.match(await guest!.shell("cat /proc/interrupts"), / IO-APIC +4-edge +ttyS0/);
      });

      it("finds memory types set on each of them, and has nothing to complain of", async () => {
        assert.match(await guest!.shell("dmesg | grep PAT:"), /Configuration \[0-7\]: WB +WC /);
        assert.equal(await guest!.shell(`dmesg | grep -E '${COMPLAINTS}' || true`), "");
      });
    });
  }
}

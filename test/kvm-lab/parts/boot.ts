// A stock Debian kernel on the KVM backend, to a shell, with one and two processors; it computes what the host computes and powers off.

import assert from "node:assert/strict";
import { guestImages } from "../../system/linux-guest.js";
import { bootLabGuest } from "../lab-guest.js";
import type { Reporter } from "../part.js";

const LINE = "seq 1 2000 | awk '{ print ($1 * 7919) % 20011 }' | sort -n | gzip -c | gunzip -c | sha1sum";
/** KVM before Linux 6.7 does not let anybody set bit 24 of HWCR, which AMD's processors with a constant TSC have set. */
const HWCR = /TSC doesn't count with P0 frequency/;

export async function boot(report: Reporter): Promise<void> {
  const images = (await guestImages())!;
  for (const cpus of [1, 2]) {
    const began = Date.now();
    const guest = await bootLabGuest(images, cpus);
    try {
      const bootMs = Date.now() - began;
      assert.equal((await guest.shell("nproc")).trim(), String(cpus));
      assert.equal(await guest.shell(LINE), await guest.onHost(LINE));
      const complaints = await guest.shell("dmesg | grep -E 'BUG:|WARNING|Firmware Bug' || true");
      assert.deepEqual(
        complaints.split("\n").filter((line) => line !== "" && !HWCR.test(line)),
        [],
      );
      await guest.machine.console().write("poweroff -f\n");
      assert.equal((await guest.machine.exited).reason, "powered-off");
      report.passed(`Linux with ${cpus} vCPU${cpus === 1 ? "" : "s"}`, `shell after ${bootMs} ms`);
    } finally {
      await guest.dispose();
    }
  }
}

// A stock Debian kernel on the KVM backend, to a shell, with one and two processors; it computes what the host computes and powers off.

import assert from "node:assert/strict";
import { guestImages, LinuxGuest } from "../../system/linux-guest.js";
import type { Reporter } from "../part.js";

const LINE = "seq 1 2000 | awk '{ print ($1 * 7919) % 20011 }' | sort -n | gzip -c | gunzip -c | sha1sum";

export async function boot(report: Reporter): Promise<void> {
  const images = (await guestImages())!;
  for (const cpus of [1, 2]) {
    const began = Date.now();
    const guest = await LinuxGuest.boot(images, { backend: "kvm", cpus, memory: "256MiB" });
    try {
      const bootMs = Date.now() - began;
      assert.equal((await guest.shell("nproc")).trim(), String(cpus));
      assert.equal(await guest.shell(LINE), await guest.onHost(LINE));
      assert.equal(await guest.shell("dmesg | grep -E 'BUG:|WARNING|Firmware Bug' || true"), "");
      await guest.machine.console().write("poweroff -f\n");
      assert.equal((await guest.machine.exited).reason, "powered-off");
      report.passed(`Linux with ${cpus} vCPU${cpus === 1 ? "" : "s"}`, `shell after ${bootMs} ms`);
    } finally {
      await guest.dispose();
    }
  }
}

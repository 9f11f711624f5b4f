// The lab's processor has virtualization: the SDK must say so, measure it, and take it without being asked.

import assert from "node:assert/strict";
import { Ringzero } from "@ringzero/core";
import type { Reporter } from "../part.js";

export async function backends(report: Reporter): Promise<void> {
  await using sdk = new Ringzero({ discover: import.meta.url });
  let found = await sdk.backends();
  // The translator's self-test has fifteen seconds, and its translation by QEMU, the first time, may take longer on a busy host.
  for (let again = 0; again < 3 && found.some(({ available }) => !available); again++) found = await sdk.backends();
  for (const backend of found) {
    assert.ok(backend.available, `${backend.name}: ${backend.reason}`);
    const speed = backend.calibratedInstructionsPerSecond;
    report.passed(
      `${backend.name} is available`,
      `${speed === null ? "not calibrated" : `${(speed / 1e6).toFixed(0)} million ring-0 instructions a second`}; ${backend.reason}`,
    );
  }
  const { backend, why } = await sdk.validate({
    name: "choice",
    memory: "64MiB",
    boot: { kind: "firmware", image: "/usr/share/seabios/bios.bin" },
  });
  assert.equal(backend, "kvm", why);
  report.passed("auto takes kvm", why);
}

// A stock Debian kernel and BusyBox compute the same as the host does. The host runs the same static BusyBox on the same lines.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { guestImages, LinuxGuest } from "./linux-guest.js";

describe("a stock Debian kernel on the binary translator", function () {
  this.timeout(120_000);
  let guest: LinuxGuest;

  before(async function () {
    const images = await guestImages();
    if (!images) return this.skip(); // no apt and no network: the guest images cannot be had
    guest = await LinuxGuest.boot(images);
  });
  after(() => guest?.dispose());

  /** Same line, same BusyBox, guest and host. */
  const agrees = async (line: string) => assert.equal(await guest.shell(line), await guest.onHost(line));

  it("says with uname -a that it is Debian's kernel on a machine called ringzero", async () => {
    const said = await guest.shell("uname -a");
    assert.match(said, /^Linux ringzero \d+\.\d+\.\d+\S* .*Debian.* x86_64 GNU\/Linux\n$/);
  });

  it("shows one 64-bit processor in /proc/cpuinfo", async () => {
    const info = await guest.shell("cat /proc/cpuinfo");
    assert.equal(info.match(/^processor\s*:/gm)?.length, 1);
    assert.match(info, /^vendor_id\s*:\s*(AuthenticAMD|GenuineIntel)$/m);
    const flags = new Set(/^flags\s*:\s*(.*)$/m.exec(info)?.[1]?.split(" "));
    for (const flag of ["fpu", "tsc", "cx8", "apic", "fxsr", "sse", "sse2", "syscall", "nx", "lm"]) {
      assert.ok(flags.has(flag), `the flag ${flag} is missing`);
    }
  });

  it("hashes 64 MiB of zeros as the host does", async () => {
    const expected = createHash("sha256")
      .update(Buffer.alloc(64 << 20))
      .digest("hex");
    assert.equal(await guest.shell("head -c 67108864 /dev/zero | sha256sum"), `${expected}  -\n`);
  });

  it("runs a shell loop of 200 000 steps to the right sum", () =>
    agrees("i=0; s=0; while [ $i -lt 200000 ]; do i=$((i+1)); s=$((s + i*i % 7919)); done; echo $i $s"));

  it("computes floating point in awk as the host does", () =>
    agrees(
      // No sin or sqrt: Debian's static BusyBox is built without awk's math library. The square root is Newton's.
      `awk 'BEGIN { for (i = 1; i <= 20000; i++) { h += 1 / i; a = -(a * 0.99) + 1.5 / (i + a); x = i; for (k = 0; k < 4; k++) x = (x + i / x) / 2; s += x } printf "%.17g %.17g %.17g %d\\n", h, a, s, s * 1000 }'`,
    ));

  it("sorts, compresses and unpacks to the bytes it began with", () =>
    agrees("seq 1 30000 | awk '{ print ($1 * 7919) % 30011 }' | sort -n | gzip -c | gunzip -c | md5sum"));

  it("forks and runs many short processes", () =>
    agrees("i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo $i | cat; done | md5sum"));

  it("delivers every byte of 1 MiB of console output, in order", async () => {
    const line = "seq 1 160000"; // 1.1 MB
    assert.equal(await guest.output(line), await guest.onHost(line));
  });

  it("keeps time within a second of the host's over a sleep", async () => {
    const [before, after] = (await guest.shell("date +%s; sleep 2; date +%s")).trim().split("\n").map(Number);
    assert.ok(after! - before! >= 2 && after! - before! <= 3, `the guest's clock went from ${before} to ${after}`);
  });

  it("pauses and goes on where it was", async () => {
    await guest.machine.pause();
    assert.equal(guest.machine.state, "paused");
    await guest.machine.resume();
    assert.equal(await guest.shell("echo still here"), "still here\n");
  });

  it("powers itself off", async () => {
    await guest.machine.console().write("poweroff -f\n");
    const exit = await guest.machine.exited;
    assert.equal(exit.reason, "powered-off");
  });
});

// Debuggers inside a guest: guest-images/debugger.c sets hardware breakpoints and watchpoints, steps, and pokes breakpoints into code that
// another thread runs, under a stock kernel on one and on two processors. The same program passes on the host first, where it can.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { filesInitramfs } from "../guest-images/file-tree.js";
import { guestImages, LinuxGuest } from "./linux-guest.js";

const run = promisify(execFile);
const SOURCE = fileURLToPath(new URL("../../guest-images/debugger.c", import.meta.url));
const CASES = [
  "hardware-breakpoint",
  "four-breakpoints",
  "watch-writes",
  "watch-accesses",
  "watch-lengths",
  "watch-kernel-writes",
  "single-steps",
  "block-steps",
  "steps-into-handlers",
  "own-flag",
  "poked-breakpoints",
];

describe("debuggers in a guest of the binary translator", function () {
  this.timeout(300_000);
  let folder: string;
  let program: string;
  let guest: LinuxGuest;

  before(async function () {
    const images = await guestImages();
    if (!images) return this.skip();
    folder = await mkdtemp(join(tmpdir(), "ringzero-debuggers-"));
    program = join(folder, "debugger");
    try {
      await run("gcc", ["-O1", "-static", "-pthread", "-o", program, SOURCE]);
    } catch (error) {
      console.log(`      skipped: needs gcc and a C library to link statically: ${(error as Error).message.split("\n")[0]}`);
      return this.skip();
    }
    guest = await LinuxGuest.boot(images, {
      cpus: 2,
      initramfs: [filesInitramfs({ "root/debugger": await readFile(program) })],
    });
  });
  after(async () => {
    await guest?.dispose();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  it("expects what this host's processor does, if programs may be traced here", async function () {
    // Debug registers and steps by branches are not there under every hypervisor, nor ptrace in every container.
    const host = await run(program, ["--no-hardware"], { timeout: 120_000 }).catch((error: { stdout: string }) => error);
    if (/no stop|cannot|Operation not permitted/.test(host.stdout)) {
      console.log(`      skipped: this host does not let programs be traced: ${host.stdout.split("\n")[0]}`);
      return this.skip();
    }
    assert.match(host.stdout, /^\d+ run, 0 failed$/m);
  });

  for (const name of CASES) {
    it(`passes ${name}`, async () => {
      assert.equal(await guest.shell(`./debugger ${name}`, 120_000), `ok ${name}\n1 run, 0 failed\n`);
    });
  }

  it("passes all of it with both threads on one processor", async () => {
    const said = await guest.shell("taskset 1 ./debugger", 200_000);
    assert.equal(said, `${CASES.map((name) => `ok ${name}\n`).join("")}${CASES.length} run, 0 failed\n`);
  });

  it("leaves nothing in the kernel's log", async () => {
    assert.equal(await guest.shell("dmesg | grep -E 'BUG:|WARNING|Oops|Call Trace' || true"), "");
  });
});

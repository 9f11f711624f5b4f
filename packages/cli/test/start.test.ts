// What `npm start` does after set-up: the scripted session, whose answers are compared with the host's own, and its refusals.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { type Ended, ended, Scratch } from "./scripted-run.js";
import { stockGuest } from "./stock-guest.js";
import { haveTerminal, onTerminal } from "./terminal.js";

const START = fileURLToPath(new URL("../../../../tools/start.mjs", import.meta.url));

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return ended(spawn(process.execPath, [START, ...args], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] }));
}

describe("npm start without a terminal", function () {
  this.timeout(320_000);
  let scratch: Scratch;
  beforeEach(() => {
    scratch = new Scratch();
  });
  afterEach(() => scratch.remove());

  it("runs a session in the guest whose answers are right, and exits 0 as the guest powers itself off", async function () {
    if (!(await stockGuest())) return this.skip();
    const { status, stdout } = await start([]);
    assert.match(stdout, /^Linux ringzero \S+-cloud-amd64 .* x86_64 GNU\/Linux\r$/m);
    assert.match(stdout, /^model name\t: Ringzero /m);
    const zeros = createHash("sha256")
      .update(new Uint8Array(2 ** 20))
      .digest("hex");
    assert.ok(stdout.includes(`${zeros}  -`), "sha256sum of 1 MiB of zeros");
    let sum = 0;
    for (let i = 1; i <= 10_000; i += 1) sum += i * i;
    assert.ok(stdout.includes(`sum of squares up to 10000: ${sum}`), "shell arithmetic");
    assert.ok(stdout.includes(`square root of 2: ${Math.SQRT2.toFixed(15)}`), "awk floating point");
    assert.equal(status, 0);
  });

  it("says exactly which two files to pass where there is no apt", async () => {
    const { status, stderr } = await start([], { PATH: scratch.folder, XDG_CACHE_HOME: scratch.folder });
    assert.equal(status, 2);
    assert.match(stderr, /--kernel FILE, a Linux x86-64 bzImage .* and --busybox FILE, a static x86-64 BusyBox/);
  });

  it("needs no apt when both files are given, and names the one that is wrong", async () => {
    const noise = scratch.file("noise", new Uint8Array(5000));
    const { status, stderr } = await start(["--kernel", noise, "--busybox", noise], {
      PATH: scratch.folder,
      XDG_CACHE_HOME: scratch.folder,
    });
    assert.equal(status, 2);
    assert.match(stderr, /busybox: .*noise: is not an ELF program/);
  });

  it("refuses an option that it does not know, and has help", async () => {
    assert.equal((await start(["--frobnicate"])).status, 2);
    const { status, stdout } = await start(["--help"]);
    assert.equal(status, 0);
    assert.match(stdout, /--busybox F/);
  });
});

describe("npm start on a terminal", function () {
  this.timeout(180_000);

  it("gives a shell of the terminal's size, and ends with 0 when it is left", async function () {
    if (!haveTerminal() || !(await stockGuest())) return this.skip();
    const output = await onTerminal(
      `stty rows 33 columns 99; "${process.execPath}" "${START}"; echo "status $?"`,
      async (terminal) => {
        await terminal.said("~ # ");
        terminal.press("stty size\n");
        await terminal.said("33 99");
        terminal.press("exit\n");
        await terminal.said("status");
      },
    );
    assert.match(output, /status 0/);
  });
});

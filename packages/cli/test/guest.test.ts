// `ringzero run` with a stock Linux guest on the binary translator: the ends of a machine as a user meets them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type DebianImages, USERSPACE_BANNER } from "@ringzero/boot";
import { ended, runCommand, said, Scratch, startCommand } from "./scripted-run.js";
import { initramfs, stockGuest } from "./stock-guest.js";

const APPEND = "console=ttyS0 quiet pci=off panic=-1";

describe("ringzero run with a stock Linux guest", function () {
  this.timeout(180_000);
  let scratch: Scratch;
  let images: DebianImages;
  before(async function () {
    scratch = new Scratch();
    const found = await stockGuest();
    if (!found) return this.skip();
    images = found;
  });
  after(() => scratch.remove());

  /** Options of a machine that runs these commands. */
  const linux = async (commands: readonly string[], append = APPEND): Promise<string[]> => {
    const initrd = scratch.file("initrd.cpio", await initramfs(images, commands));
    return [
      "run",
      "--backend",
      "bt",
      "--kernel",
      images.kernel,
      "--initrd",
      initrd,
      `--append=${append}`,
      "--device",
      "debug-exit",
      "--timeout",
      "150",
    ];
  };

  it("It ends with 0 when the guest powers off, end of input notwithstanding", async () => {
    const { status, stdout } = await runCommand(...(await linux(["uname -sm"])));
    assert.match(stdout, /^Linux x86_64\r$/m);
    assert.equal(status, 0);
  });

  it("It ends with the guest's own code through debug-exit", async () => {
    const { status, stderr } = await runCommand(...(await linux(["exit 7"])));
    assert.equal(status, 7);
    assert.match(stderr, /own code 7/);
  });

  it("It ends with 124 after --timeout, while the guest spins", async () => {
    const { status, stdout } = await runCommand(...(await linux(["echo spinning; while :; do :; done"])), "--timeout", "30");
    assert.equal(status, 2, "an option given twice is refused, not guessed at");
    assert.equal(stdout, "");
    const args = (await linux(["echo spinning; while :; do :; done"])).slice(0, -1);
    const end = await runCommand(...args, "12");
    assert.equal(end.status, 124);
    assert.match(end.stdout, /spinning/);
  });

  it("It ends with 127 when the guest triple-faults", async () => {
    const { status } = await runCommand(...(await linux(["reboot -f; sleep 60"], `${APPEND} reboot=t`)));
    assert.equal(status, 127);
  });

  it("A reset by the guest starts it afresh, and the events say so", async () => {
    const events = scratch.file("events.jsonl", "");
    const child = startCommand([...(await linux(["reboot -f; sleep 60"])), "--events", events]);
    await said(child.stdout!, USERSPACE_BANNER);
    await said(child.stdout!, USERSPACE_BANNER); // what came before is not looked at again
    child.kill("SIGTERM");
    const { status } = await ended(child);
    assert.equal(status, 143);
    assert.match(readFileSync(events, "utf8"), /"event":"reset","cause":"guest"/);
  });

  it("What is typed on a pipe reaches the guest's shell", async () => {
    const child = startCommand(await linux(["read line; echo got $line"]), "pipe");
    const end = ended(child);
    await said(child.stdout!, "# read line");
    child.stdin!.end("forty-two\n");
    const { status, stdout } = await end;
    assert.match(stdout, /got forty-two/);
    assert.equal(status, 0);
  });

  describe("refuses, before anything starts,", () => {
    const cases: [what: string, args: () => string[] | Promise<string[]>, where: RegExp][] = [
      [
        "a garbage kernel",
        () => ["--kernel", scratch.file("garbage", Buffer.alloc(100_000, 0x5a))],
        /--kernel: .*garbage: is no kernel that can be booted/,
      ],
      [
        "a kernel cut off in its payload",
        () => ["--kernel", scratch.file("cut", readFileSync(images.kernel).subarray(0, 200_000))],
        /boot\.kernel: .*cut: is truncated/,
      ],
      [
        "a truncated initrd",
        async () => [
          "--kernel",
          images.kernel,
          "--initrd",
          scratch.file("short.cpio", (await initramfs(images, ["true"])).subarray(0, 50_000)),
        ],
        /boot\.initrd\[0\]: .*short\.cpio: is truncated/,
      ],
      ["0 vCPUs", () => ["--kernel", images.kernel, "--cpus", "0"], /--cpus: must be >= 1, not 0/],
      ["more vCPUs than the engine has", () => ["--kernel", images.kernel, "--cpus", "200"], /--cpus: .*at most/],
      ["memory of 3 bytes", () => ["--kernel", images.kernel, "--memory", "3"], /--memory: must be from 2MiB/],
      [
        "memory too small for the kernel",
        () => ["--kernel", images.kernel, "--memory", "16MiB"],
        /boot\.kernel: .*give the machine at least \d+ MiB/,
      ],
      [
        "an unknown device",
        () => ["--kernel", images.kernel, "--device", "flux-capacitor"],
        /--device \(number 1\): there is no device plugin flux-capacitor/,
      ],
      ["a disk, of which there are no plugins", () => ["--kernel", images.kernel, "--disk", "qcow2:path=x"], /--disk/],
      [
        "a missing initrd",
        () => ["--kernel", images.kernel, "--initrd", "/no/such/file"],
        /--initrd.*: there is no file \/no\/such\/file/,
      ],
    ];
    for (const [what, args, where] of cases) {
      it(what, async () => {
        const { status, stdout, stderr } = await runCommand("run", "--backend", "bt", ...(await args()));
        assert.match(stderr, where);
        assert.deepEqual([status, stdout], [2, ""]);
      });
    }
  });
});

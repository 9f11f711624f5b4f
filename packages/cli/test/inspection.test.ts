// What `ringzero` shows of the translator: counters, trace, translated code, lockstep.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand, Scratch } from "./scripted-run.js";
import { initramfs, stockGuest } from "./stock-guest.js";
import { firmwareThatExits } from "./tiny-kernels.js";

describe("Looking into the translator", function () {
  this.timeout(120_000);
  const scratch = new Scratch();
  after(() => scratch.remove());
  const firmware = scratch.file("exits.bin", firmwareThatExits(42));
  const machine = ["--firmware", firmware, "--memory", "16MiB"];
  const run = ["run", ...machine, "--backend", "bt", "--device", "debug-exit", "--console", "none"];
  const code = "0xf000"; // where the firmware's program begins, as an offset in CS

  it("--stats has the engine's counters", async () => {
    const { status, stderr } = await runCommand(...run, "--stats");
    assert.equal(status, 42, stderr);
    const counter = (name: string) => Number(new RegExp(`stats: engine\\.${name} (\\d+)`).exec(stderr)?.[1]);
    assert.ok(counter("blocks") >= 1, stderr);
    assert.ok(counter("block-instructions") >= 5, stderr);
    const reasons = [...stderr.matchAll(/stats: engine\.ends-[a-z]+ (\d+)/g)].map((match) => Number(match[1]));
    assert.equal(
      reasons.reduce((sum, one) => sum + one, 0),
      counter("blocks"),
      "every block ends for one reason",
    );
    assert.equal(counter("exits-port-out"), 1, stderr);
    assert.equal(counter("exits-mmio-read"), 0, stderr);
  });

  it("--trace writes events to a file: blocks, their code, and the exit that ended the guest", async () => {
    const file = join(scratch.folder, "trace.txt");
    const { status, stderr } = await runCommand(...run, "--trace", "exit,block,host", "--trace-file", file);
    assert.equal(status, 42, stderr);
    const trace = readFileSync(file, "utf8");
    assert.match(trace, /^exit {3}vcpu0 \+\d+\.\d{3}ms port-out port=0xf4 size=1 value=0x2a$/m);
    assert.match(trace, /^block {2}vcpu0 \+\S+ at=0xfff0 physical=0xfffffff0 .* ends=ends-/m);
    assert.match(trace, /^host {3}f000: mov al,0x2a$/m);
  });

  it("--trace goes to stderr without a file, and only what was asked for", async () => {
    const { stderr } = await runCommand(...run, "--trace", "exit");
    assert.match(stderr, /^exit {3}vcpu0 /m);
    assert.doesNotMatch(stderr, /^block/m);
  });

  it("A trace flag that does not exist is refused before the guest runs", async () => {
    const { status, stderr } = await runCommand(...run, "--trace", "exit,everything");
    assert.notEqual(status, 42);
    assert.match(stderr, /trace=exit,everything/);
  });

  it("--list-code shows guest and host code of an address", async () => {
    const { status, stderr } = await runCommand(...run, "--list-code", code);
    assert.equal(status, 42, stderr);
    assert.match(stderr, /^block \d+ at [0-9a-f]+, physical fffff[0-9a-f]{3}, mode /m);
    assert.match(stderr, /^f002: mov dx,0xf4$/m);
    const nothing = await runCommand(...run, "--list-code", "0x1234");
    assert.match(nothing.stderr, /no block has been made of it/);
    const wrong = await runCommand(...run, "--list-code", "main");
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /--list-code: "main" is not an address/);
  });

  it("step runs firmware in lockstep to its end", async () => {
    for (const against of ["no-opt", "one-instruction"]) {
      const { status, stderr } = await runCommand("step", ...machine, "--against", against, "--every", "1");
      assert.equal(status, 0, stderr);
      assert.match(stderr, new RegExp(`debug exit: \\d+ instructions in \\d+ blocks compared, against ${against}`));
    }
  });

  it("step refuses what it cannot do, all at once", async () => {
    const { status, stderr } = await runCommand("step", ...machine, "--against", "tcg", "--every", "0");
    assert.equal(status, 2);
    assert.match(stderr, /--against: "tcg" is not no-opt, one-instruction or kvm/);
    assert.match(stderr, /--every: "0" is not a whole number from 1 to 64/);
    const spec = scratch.file(
      "two.json",
      JSON.stringify({
        memory: "16MiB",
        cpus: 2,
        boot: { kind: "firmware", image: firmware },
        devices: [{ plugin: "debug-exit" }],
      }),
    );
    const two = await runCommand("step", "--spec", spec);
    assert.equal(two.status, 2);
    assert.match(two.stderr, /cpus: lockstep takes one processor/);
    assert.match(two.stderr, /devices: lockstep has no devices/);
  });

  it("step runs firmware beside KVM to its end", async function () {
    const { status, stderr } = await runCommand("step", ...machine, "--against", "kvm");
    if (status === 125) {
      console.log(`      skipped: ${stderr.trim()}`);
      return this.skip();
    }
    assert.equal(status, 0, stderr);
    assert.match(stderr, /debug exit: \d+ instructions, of which [1-9]\d* were compared with KVM/);
    const both = await runCommand("step", ...machine, "--against", "kvm", "--every", "1");
    assert.equal(both.status, 2);
    assert.match(both.stderr, /--every: KVM is compared after every instruction/);
  });

  it("step boots the beginning of a stock kernel, and finds no difference", async function () {
    const images = await stockGuest();
    if (!images) return this.skip();
    const initrd = scratch.file("initrd.cpio", await initramfs(images, ["uname"]));
    const kernel = ["--kernel", images.kernel, "--initrd", initrd, "--append=console=ttyS0 earlyprintk=serial pci=off"];
    const { status, stdout, stderr } = await runCommand("step", ...kernel, "--instructions", "4000000", "--output");
    assert.equal(status, 0, stderr);
    assert.match(stderr, /as many instructions as asked for: 4\d{6} instructions/);
    assert.ok(stdout.length >= 0);
  });
});

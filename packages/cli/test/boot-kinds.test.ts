// `ringzero run` enters a guest in every way that it can boot one, on the binary translator.

import assert from "node:assert/strict";
import { runCommand, Scratch } from "./scripted-run.js";
import { firmwareThatExits, firmwareThatTripleFaults, multibootKernelThatExits, pvhKernelThatExits } from "./tiny-kernels.js";

describe("ringzero run enters", function () {
  this.timeout(60_000);
  let scratch: Scratch;
  before(() => {
    scratch = new Scratch();
  });
  after(() => scratch.remove());

  const cases = [
    ["firmware at the reset vector, in real mode", "--firmware", firmwareThatExits(41), 41],
    ["a Multiboot kernel, in protected mode", "--kernel", multibootKernelThatExits(42), 42],
    ["an ELF kernel by its PVH note", "--kernel", pvhKernelThatExits(43), 43],
  ] as const;
  for (const [what, option, bytes, code] of cases) {
    it(what, async () => {
      const file = scratch.file(`guest-${code}`, bytes);
      const { status, stderr } = await runCommand(
        "run",
        "--backend",
        "bt",
        "--memory",
        "16MiB",
        option,
        file,
        "--device",
        "debug-exit",
        "--timeout",
        "30",
      );
      assert.equal(status, code, stderr);
    });
  }

  it("firmware that triple-faults, and ends with 127", async () => {
    const file = scratch.file("triple", firmwareThatTripleFaults());
    const { status, stderr } = await runCommand(
      "run",
      "--backend",
      "bt",
      "--memory",
      "16MiB",
      "--firmware",
      file,
      "--timeout",
      "30",
    );
    assert.equal(status, 127, stderr);
  });
});

// A machine that nobody holds any more is collected, engine and all; one that runs is not.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

describe("a bt machine without a holder", () => {
  for (const [state, expected] of [
    ["paused", "collected"],
    ["running", "kept"],
  ] as const) {
    it(`is ${expected} while ${state}`, () => {
      const file = fileURLToPath(new URL("./forgetful.js", import.meta.url));
      const { status, stdout, stderr } = spawnSync(process.execPath, ["--expose-gc", file, state], {
        encoding: "utf8",
        timeout: 15_000,
      });
      assert.equal(stderr, "");
      assert.equal(stdout.trim(), expected);
      assert.equal(status, 0);
    });
  }
});

// A program that rests, seen by V8's own word on whether it would take code that was compiled before: a flag of another value makes it refuse.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const PROGRAM = `
  import { setTimeout } from "node:timers/promises";
  import { Script } from "node:vm";
  import { Ringzero, restWhenIdle } from "@ringzero/core";
  const cachedData = new Script("1 + 0").createCachedData();
  let n = 0; // of a text that it has seen, V8 has the code anyway; of others it compares lengths and flags only
  const refused = () => new Script("1 + " + ++n, { cachedData }).cachedDataRejected;
  const seen = [refused()];
  restWhenIdle();
  seen.push(refused());
  await setTimeout(5_000);
  seen.push(refused());
  const rz = new Ringzero({ discover: false });
  await rz.prepare();
  seen.push(refused());
  await rz.dispose();
  console.log(JSON.stringify(seen));`;

describe("restWhenIdle", () => {
  it("lets Node's own code be taken from its cache at the start and for a new worker, and rests in between", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", PROGRAM], {
      cwd: fileURLToPath(new URL("../../", import.meta.url)),
    });
    assert.deepEqual(JSON.parse(stdout), [false, false, true, false]);
  });
});

// What a person sees while images are fetched.

import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { fetchProgress } from "@ringzero/cli";

/** Shows a fetch of two steps, or a warm cache, on a stream that is or is not a terminal. */
function shown(isTTY: boolean, steps: readonly ("downloading" | "unpacking" | "ready")[]): string {
  const stream = Object.assign(new PassThrough(), {
    isTTY,
    columns: 80,
    cursorTo: () => true,
    clearLine: () => true,
  }) as unknown as NodeJS.WriteStream;
  const display = fetchProgress(stream);
  for (const [i, step] of steps.entries()) display.onProgress({ step, what: "busybox-static", fraction: (i + 1) / steps.length });
  display.stop();
  display.stop();
  return String((stream as unknown as PassThrough).read() ?? "");
}

describe("progress while images are fetched", () => {
  it("Without a terminal each step is a line, once", () => {
    assert.equal(
      shown(false, ["downloading", "downloading", "unpacking", "ready"]),
      "ringzero: downloading busybox-static\nringzero: unpacking busybox-static\nringzero: ready: busybox-static\n",
    );
  });
  it("On a terminal it is a bar", () => assert.match(shown(true, ["downloading", "unpacking"]), /\d+ %/));
  it("Nothing is shown when everything is in the cache", () => {
    assert.equal(shown(false, ["ready"]), "");
    assert.equal(shown(true, ["ready"]), "");
  });
});

// The order in which things are undone.

import assert from "node:assert/strict";
import { Teardown } from "@ringzero/core";

describe("Teardown", () => {
  it("runs last first, each step finished before the next, a failure skipping none", async () => {
    const order: string[] = [];
    const teardown = new Teardown();
    teardown.defer(() => void order.push("first"));
    teardown.defer(() => {
      throw new Error("second");
    });
    teardown.defer(async () => {
      await new Promise((later) => setTimeout(later, 5));
      order.push("third");
    });
    await assert.rejects(teardown.run(), (error) => error instanceof AggregateError && error.errors.length === 1);
    assert.deepEqual(order, ["third", "first"]);
    await teardown.run();
    assert.deepEqual(order, ["third", "first"]);
  });
});

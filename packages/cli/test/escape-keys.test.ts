// Ctrl-A and what follows.

import assert from "node:assert/strict";
import { EscapeKeys } from "@ringzero/cli";

const CTRL_A = "\u0001";

function typed(...chunks: string[]): { guest: string; commands: string[] } {
  const keys = new EscapeKeys();
  const guest: number[] = [];
  const commands: string[] = [];
  for (const chunk of chunks) {
    const fed = keys.feed(Buffer.from(chunk, "latin1"));
    guest.push(...fed.guest);
    commands.push(...fed.commands);
  }
  return { guest: Buffer.from(guest).toString("latin1"), commands };
}

describe("console keys", () => {
  it("Ordinary keys, Ctrl-C and Ctrl-D go to the guest", () =>
    assert.deepEqual(typed("ls\r\u0003\u0004"), { guest: "ls\r\u0003\u0004", commands: [] }));
  it("Ctrl-A M moves, and Ctrl-A Enter does nothing", () =>
    assert.deepEqual(typed(`a${CTRL_A}mb${CTRL_A}\r`), { guest: "ab", commands: ["move"] }));
  it("Ctrl-A X leaves", () => assert.deepEqual(typed(`a${CTRL_A}xb`), { guest: "ab", commands: ["leave"] }));
  it("Ctrl-A X works when its two keys come in two reads", () =>
    assert.deepEqual(typed(CTRL_A, "x"), { guest: "", commands: ["leave"] }));
  it("Ctrl may stay down for the second key", () =>
    assert.deepEqual(typed(`${CTRL_A}\u0018${CTRL_A}\u0003`), { guest: "", commands: ["leave", "clear"] }));
  it("Ctrl-A Ctrl-A sends one Ctrl-A, and so does Ctrl-A A", () =>
    assert.equal(typed(`${CTRL_A}${CTRL_A}b${CTRL_A}a`).guest, `${CTRL_A}b${CTRL_A}`));
  it("Ctrl-A C clears and Ctrl-A H and ? help", () =>
    assert.deepEqual(typed(`${CTRL_A}c${CTRL_A}h${CTRL_A}?`).commands, ["clear", "help", "help"]));
  it("Ctrl-A and a key of no meaning do nothing", () => assert.deepEqual(typed(`${CTRL_A}qz`), { guest: "z", commands: [] }));
});

// The grammar of --device, --disk and --net.

import assert from "node:assert/strict";
import { PluginSpecError, parsePluginSpec } from "@ringzero/cli";

describe("plugin specs on the command line", () => {
  const good: [string, unknown][] = [
    ["debug-exit", { plugin: "debug-exit" }],
    ["debug-exit:", { plugin: "debug-exit" }],
    ["debug-exit:port=0xf4", { plugin: "debug-exit", options: { port: 0xf4 } }],
    ["log-port:path=a b.log,port=233", { plugin: "log-port", options: { path: "a b.log", port: 233 } }],
    ["@acme/post-card:trace", { plugin: "@acme/post-card", options: { trace: true } }],
    ["user:forward=tcp:127.0.0.1:2222:22", { plugin: "user", options: { forward: "tcp:127.0.0.1:2222:22" } }],
    ["user:forward=a,forward=b,forward=c", { plugin: "user", options: { forward: ["a", "b", "c"] } }],
    ['qcow2:path="a,b=\\"c\\".img",lazy=false', { plugin: "qcow2", options: { path: 'a,b="c".img', lazy: false } }],
    ['raw:path="123"', { plugin: "raw", options: { path: "123" } }],
    ["raw:path=", { plugin: "raw", options: { path: "" } }],
    ["raw:serial=007", { plugin: "raw", options: { serial: "007" } }],
    ["raw:offset=-5,url=a=b", { plugin: "raw", options: { offset: -5, url: "a=b" } }],
  ];
  for (const [text, expected] of good) {
    it(`${text} is parsed`, () => assert.deepEqual(parsePluginSpec(text), expected));
  }

  const bad: [string, RegExp][] = [
    ["", /names no plugin/],
    [":a=b", /names no plugin/],
    ["port=0xf4", /no plugin name before/],
    ["a:=b", /is not key=value/],
    ["a:b=c,", /stray comma/],
    ["a:,b=c", /stray comma/],
    ["a:b c=d", /is not key=value/],
    ['a:b="c', /not closed/],
    ['a:b="c"d', /follows the closing quote/],
  ];
  for (const [text, why] of bad) {
    it(`${JSON.stringify(text)} is refused with a reason and the form`, () => {
      assert.throws(
        () => parsePluginSpec(text),
        (error) => error instanceof PluginSpecError && why.test(error.message),
      );
    });
  }

  it("A key that is special to JavaScript becomes an option of its own and nothing else", () => {
    const { options } = parsePluginSpec("a:constructor=1,toString=2");
    assert.deepEqual(Object.entries(options ?? {}), [
      ["constructor", 1],
      ["toString", 2],
    ]);
  });
});

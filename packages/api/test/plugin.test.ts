// definePlugin and the negotiation of the plugin API.

import assert from "node:assert/strict";
import { apiInRange, assertPlugin, definePlugin, PLUGIN_API, Type } from "@ringzero/api";

describe("definePlugin", () => {
  it("types the options of a device from their schema, and freezes the plugin", () => {
    const plugin = definePlugin({
      name: "@acme/post-card",
      kind: "device",
      api: { min: 1, max: 1 },
      options: Type.Object({ port: Type.Integer({ default: 0x80 }) }),
      attach(machine, options) {
        const port: number = options.port;
        machine.ports.claim(
          { first: port, count: 1 },
          { read: () => 0xff, write: (_port, value) => machine.log.info({ code: value }, "POST") },
        );
      },
    });
    assert.equal(plugin.name, "@acme/post-card");
    assert.ok(Object.isFrozen(plugin));
  });

  it("types the options of a disk too", () => {
    const plugin = definePlugin({
      name: "@acme/ram-disk",
      kind: "disk",
      api: { min: 1, max: 1 },
      options: Type.Object({ sizeBytes: Type.Integer() }),
      capabilities: { write: false, flush: false, discard: false, writeZeroes: false },
      async open(options) {
        const sizeBytes: number = options.sizeBytes;
        throw new Error(String(sizeBytes));
      },
    });
    assert.equal(plugin.kind, "disk");
  });

  it("names the first thing that makes an object no plugin", () => {
    const good = { name: "x", kind: "device", api: { min: 1, max: 1 }, attach() {} };
    assert.doesNotThrow(() => assertPlugin(good));
    assert.throws(() => assertPlugin(null), /a plugin is an object/);
    assert.throws(() => assertPlugin({ ...good, name: "" }), /name must be/);
    assert.throws(() => assertPlugin({ ...good, kind: "toaster" }), /plugin x: kind must be one of disk/);
    assert.throws(() => assertPlugin({ ...good, api: { min: 2, max: 1 } }), /min <= max/);
    assert.throws(() => assertPlugin({ ...good, attach: 1 }), /attach must be a function/);
  });
});

describe("apiInRange", () => {
  it("takes a plugin whose range includes the spoken version and no other", () => {
    assert.equal(apiInRange({ min: 1, max: 1 }), true);
    assert.equal(apiInRange({ min: PLUGIN_API, max: 9 }), true);
    assert.equal(apiInRange({ min: PLUGIN_API + 1, max: 9 }), false);
    assert.equal(apiInRange({ min: 1, max: 2 }, 3), false);
  });
});

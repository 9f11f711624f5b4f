// What a program that runs machines loads, and what it does not: each file that is loaded at a start is waited for.

import assert from "node:assert/strict";
import { RingzeroError } from "@ringzero/api";
import { firmware, loadBoot } from "@ringzero/boot";
import * as core from "@ringzero/core";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const PACKAGE = fileURLToPath(new URL("../", import.meta.url)); // whose dependencies are what ships
const LIBRARY = /\/ajv\/dist\/(core|ajv)\.js$/;

/** CommonJS files that a program of its own has loaded after it validated a machine with these further plugins and devices. */
async function loadedBy(plugins: string, devices: string): Promise<readonly string[]> {
  const program = `
    import { createRequire } from "node:module";
    import { definePlugin, Ringzero } from "@ringzero/core";
    const rz = new Ringzero({ discover: ${JSON.stringify(PACKAGE)}, plugins: [${plugins}] });
    const spec = { memory: "16MiB", boot: { kind: "firmware", image: process.execPath }, devices: [${devices}] };
    const { problems } = await rz.validate(spec, { host: "inline", backend: "bt" });
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
    console.log(JSON.stringify(Object.keys(createRequire(import.meta.url).cache)));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: PACKAGE,
  });
  return JSON.parse(stdout) as string[];
}

describe("start-up", () => {
  it("checks a machine of what ships without loading the library for schemas", async () => {
    const loaded = await loadedBy("", '{ plugin: "debug-exit", options: { port: 0xf4 } }');
    assert.deepEqual(
      loaded.filter((file) => LIBRARY.test(file)),
      [],
    );
  });

  it("loads the library for the schema of a plugin that it does not know", async () => {
    const plugin = `definePlugin({ name: "card", kind: "device", api: { min: 1, max: 1 }, attach() {},
      options: { type: "object", properties: { colour: { type: "string" } } } })`;
    const loaded = await loadedBy(plugin, '{ plugin: "card", options: { colour: "red" } }');
    assert.ok(loaded.some((file) => LIBRARY.test(file)));
  });

  it("can import each plugin that ships from the module that it names, as a device worker does", async () => {
    await using rz = new core.Ringzero({ discover: PACKAGE });
    const { known, rejected } = await rz.plugins();
    assert.deepEqual(rejected, []);
    const shipped = known.filter(({ name }) => !name.startsWith("fake"));
    assert.ok(shipped.length >= 10, `${shipped.length} plugins are too few`);
    for (const plugin of shipped) {
      const { default: exported } = (await import(plugin.module!)) as { default: unknown };
      assert.ok([exported].flat().includes(plugin), `${plugin.module} does not export ${plugin.kind} ${plugin.name} by default`);
    }
  });

  it("has one copy of each package, however many bundles name it", async () => {
    assert.equal(core.RingzeroError, RingzeroError);
    const shape = { memoryBytes: 2 ** 24, cpus: 1, uarts: [] };
    await assert.rejects(
      loadBoot(firmware({ image: "/nonexistent" }), shape),
      (error) => error instanceof RingzeroError && error.code === "BOOT_FILE_MISSING",
    );
  });
});

// How plugins get into a Ringzero: given in code, by name, or found among direct dependencies; and which are refused.

import assert from "node:assert/strict";
import { definePlugin, type Plugin, RingzeroError } from "@ringzero/api";
import { Ringzero } from "@ringzero/core";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { device } from "./fake-machine.js";

const coded = (code: string) => (error: unknown) => error instanceof RingzeroError && error.code === code;

/** A program's folder with packages installed in it; values are package.json fields and module text. */
function program(dependencies: Record<string, { ringzero?: unknown; module?: string; direct?: boolean }>): string {
  const folder = mkdtempSync(join(tmpdir(), "ringzero-program-"));
  const direct = Object.entries(dependencies).filter(([, { direct: is = true }]) => is);
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ name: "program", dependencies: Object.fromEntries(direct.map(([name]) => [name, "1"])) }),
  );
  for (const [name, { ringzero, module }] of Object.entries(dependencies)) {
    const at = join(folder, "node_modules", name);
    mkdirSync(at, { recursive: true });
    writeFileSync(join(at, "package.json"), JSON.stringify({ name, version: "1.0.0", type: "module", ringzero }));
    if (module) writeFileSync(join(at, "plugin.js"), module);
  }
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const module = (name: string, api = "{ min: 1, max: 1 }") =>
  `export default { name: "${name}", kind: "device", api: ${api}, attach() {} };`;
const ringzero = { plugins: ["./plugin.js"] };

async function namesIn(folder: string, plugins: (Plugin | string)[] = []) {
  await using rz = new Ringzero({ discover: folder, plugins });
  const { known, rejected } = await rz.plugins();
  return { known: known.map(({ name }) => name), rejected: rejected.map(({ name, error }) => `${name} ${error.code}`) };
}

describe("discovery", () => {
  it("finds direct dependencies that say what they are, and no others", async () => {
    const folder = program({
      "@acme/card": { ringzero, module: module("@acme/card") },
      "indirect-card": { ringzero, module: module("indirect-card"), direct: false },
      lodash: {},
    });
    assert.deepEqual(await namesIn(folder), { known: ["@acme/card"], rejected: [] });
  });

  it("follows an umbrella package to the plugins that it names", async () => {
    const folder = program({
      umbrella: { ringzero: { plugins: ["inner-card"] } },
      "inner-card": { ringzero, module: module("inner-card"), direct: false },
    });
    assert.deepEqual(await namesIn(folder), { known: ["inner-card"], rejected: [] });
  });

  it("remembers why a package could not be taken, and goes on", async () => {
    const folder = program({
      broken: { ringzero, module: "throw new Error('native part missing')" },
      future: { ringzero, module: module("future", "{ min: 2, max: 3 }") },
      good: { ringzero, module: module("good") },
      none: { ringzero, module: "export default { name: 'none' }" },
    });
    const { known, rejected } = await namesIn(folder);
    assert.deepEqual(known, ["good"]);
    assert.deepEqual(rejected.sort(), ["broken PLUGIN_LOAD_FAILED", "future PLUGIN_API_RANGE", "none PLUGIN_LOAD_FAILED"]);
    await using rz = new Ringzero({ discover: folder });
    const { problems } = await rz.validate({ memory: "16MiB", devices: [{ plugin: "future" }] });
    const problem = problems.find(({ path }) => path === "devices[0].plugin");
    assert.equal(problem?.code, "plugin-api");
    assert.match(problem.message, /made for plugin API 2\.\.3, and this version speaks 1; update @ringzero\/core/);
  });

  it("leaves a package alone that wants to be named, and takes it when it is", async () => {
    const folder = program({ shy: { ringzero: { ...ringzero, discover: false }, module: module("shy") } });
    assert.deepEqual((await namesIn(folder)).known, []);
    assert.deepEqual((await namesIn(folder, ["shy"])).known, ["shy"]);
    await using rz = new Ringzero({ discover: import.meta.url, plugins: ["@ringzero/testing"] });
    assert.ok((await rz.plugins()).known.some(({ name, kind }) => name === "fake" && kind === "backend"));
  });
});

describe("plugins given in code", () => {
  it("win over installed ones of the same name", async () => {
    const folder = program({ card: { ringzero, module: module("card") } });
    const mine = device("card", () => {});
    await using rz = new Ringzero({ discover: folder, plugins: [mine] });
    assert.deepEqual((await rz.plugins()).known, [mine]);
  });

  it("may be named by package or by path", async () => {
    const folder = program({ quiet: { ringzero, module: module("quiet"), direct: false } });
    assert.deepEqual((await namesIn(folder, ["quiet"])).known, ["quiet"]);
    assert.deepEqual((await namesIn(folder, [join(folder, "node_modules/quiet/plugin.js")])).known, ["quiet"]);
    await assert.rejects(namesIn(folder, ["@acme/missing"]), coded("PLUGIN_UNKNOWN"));
    await assert.rejects(namesIn(folder, [join(folder, "absent.js")]), coded("PLUGIN_LOAD_FAILED"));
  });

  it("are refused outside the API range, twice, or when they are no plugins", () => {
    const old = { ...device("old", () => {}), api: { min: 2, max: 2 } } as Plugin;
    assert.throws(() => new Ringzero({ plugins: [old] }), coded("PLUGIN_API_RANGE"));
    assert.throws(() => new Ringzero({ plugins: [device("a", () => {}), device("a", () => {})] }), coded("PLUGIN_DUPLICATE"));
    assert.throws(() => new Ringzero({ plugins: [{} as Plugin] }), TypeError);
    assert.doesNotThrow(
      () => new Ringzero({ plugins: [definePlugin({ name: "a", kind: "device", api: { min: 1, max: 9 }, attach() {} })] }),
    );
  });
});

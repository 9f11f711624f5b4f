// The harness from end to end, by its command: a third party's backend, named by its package, which is installed beside the caller and
// nowhere near the harness; and what an interrupt leaves behind.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Report } from "@ringzero/bench";
import { fetchDebianImages } from "@ringzero/boot";

const run = promisify(execFile);
const MAIN = join(dirname(fileURLToPath(import.meta.resolve("@ringzero/bench"))), "main.js");
const PACKAGE = "@acme/ringzero-backend-relay";

/** A whole backend in few lines: it hands everything on to the translator. */
const RELAY = `
import { definePlugin } from "@ringzero/api";
import { btBackend } from "@ringzero/backend-bt";
export default definePlugin({
  name: "relay", kind: "backend", api: { min: 1, max: 1 }, summary: "Hands everything on",
  module: import.meta.url, create: (options) => btBackend.create(options),
});
`;

describe("pnpm bench, from end to end", function () {
  this.timeout(120_000);
  let folder: string;

  before(async function () {
    const missing = await fetchDebianImages().then(
      () => null,
      (error: Error) => error.message,
    );
    if (missing !== null) {
      console.log(`        skipped: ${missing}`);
      this.skip();
    }
    folder = await mkdtemp(join(tmpdir(), "ringzero-bench-test-"));
    const home = join(folder, "node_modules", PACKAGE);
    await mkdir(home, { recursive: true });
    await writeFile(join(folder, "package.json"), JSON.stringify({ name: "caller", dependencies: { [PACKAGE]: "1.0.0" } }));
    const manifest = { name: PACKAGE, version: "1.0.0", type: "module", ringzero: { plugins: ["./index.js"] } };
    await writeFile(join(home, "package.json"), JSON.stringify(manifest));
    await writeFile(join(home, "index.js"), RELAY);
    await mkdir(join(folder, "node_modules", "@ringzero"));
    for (const name of ["api", "backend-bt"]) {
      const target = dirname(createRequire(import.meta.url).resolve(`@ringzero/${name}/package.json`));
      await symlink(target, join(folder, "node_modules", "@ringzero", name));
    }
  });
  after(() => folder && rm(folder, { recursive: true, force: true }));

  it("benchmarks a third party's backend by the name of its package", async () => {
    const words = ["--backend", PACKAGE, "--quick", "--filter", "int-mix,boot-to-userspace", "--no-qemu"];
    const { stdout, stderr } = await run(process.execPath, [MAIN, ...words, "--json", "r.json", "--html", "r.html"], {
      cwd: folder,
    });
    const report = await Report.read(join(folder, "r.json"));
    assert.deepEqual(report.backends, [PACKAGE]);
    assert.deepEqual(
      report.rows.map(({ name }) => name),
      ["boot-to-userspace", "int-mix"],
    );
    for (const { values } of report.rows) assert.ok((values[PACKAGE] ?? 0) > 0);
    assert.ok((report.rows[1]!.values["native"] ?? 0) > 0);
    assert.match(stdout, /^int-mix +ns\/op/m);
    assert.match(stderr, /round 1 of 1: compute on @acme/, "progress goes to stderr");
    const page = await readFile(join(folder, "r.html"), "utf8");
    assert.match(page, /@acme\/ringzero-backend-relay/);
  });

  it("says which package is not there, and starts nothing", async () => {
    const failed = await run(process.execPath, [MAIN, "--backend", "@acme/nothing", "--quick", "--filter", "int-mix"], {
      cwd: folder,
    }).then(
      () => null,
      (error: { code: number; stderr: string }) => error,
    );
    assert.equal(failed?.code, 1);
    assert.match(failed.stderr, /cannot use the package @acme\/nothing/);
  });

  it("leaves no guest and no engine behind when it is interrupted", async () => {
    const words = ["--filter", "chase-16k", "--ms", "60000", "--no-qemu", "--no-native"];
    const bench = spawn(process.execPath, [MAIN, ...words], { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    try {
      const exited = once(bench, "exit");
      let family: number[] = [];
      let engine = false; // the harness and the guest's process come first
      for (let tries = 0; tries < 1200 && !engine; tries += 1) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        family = await familyOf(bench.pid!);
        const names = await Promise.all(family.map((pid) => readFile(`/proc/${pid}/comm`, "latin1").catch(() => "")));
        engine = names.some((name) => name.startsWith("rz:"));
      }
      assert.ok(engine, "the engine never started");
      bench.kill("SIGINT");
      assert.deepEqual(await exited, [130, null]);
      let left = family;
      for (let tries = 0; tries < 100 && left.length > 0; tries += 1) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        const alive = new Set(await readdir("/proc"));
        left = left.filter((pid) => alive.has(String(pid)));
      }
      assert.deepEqual(left, []);
    } finally {
      bench.kill("SIGKILL");
    }
  });
});

/** A process and its descendants, now. A child belongs to the thread that started it. */
async function familyOf(root: number): Promise<number[]> {
  const threads = await readdir(`/proc/${root}/task`).catch(() => []);
  const lists = threads.map((thread) => readFile(`/proc/${root}/task/${thread}/children`, "latin1").catch(() => ""));
  const children = (await Promise.all(lists)).join(" ");
  const below = await Promise.all(
    children
      .split(" ")
      .filter((pid) => pid !== "")
      .map((pid) => familyOf(Number(pid))),
  );
  return [root, ...below.flat()];
}

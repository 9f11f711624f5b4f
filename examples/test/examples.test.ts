// The examples do what they say: the program that README.md shows, on a stock kernel, and the plugins, in machines and by their contract.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { DiskPlugin } from "@ringzero/api";
import { busyboxInitramfs, fetchDebianImages } from "@ringzero/boot";
import { describeDisk, openPlugin } from "@ringzero/conformance";
import { defineMachine, Ringzero } from "@ringzero/core";
import { fakeGuest, fakePlugins } from "@ringzero/testing";
import postCard from "../device-plugin.js";
import labelDisk from "../disk-plugin.js";

const run = promisify(execFile);
const built = fileURLToPath(new URL("../", import.meta.url)); // examples/build
const source = join(built, "..");

describe("examples", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "ringzero-examples-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("README.md shows embed.ts as it is, from the first line after its comment", async () => {
    const example = (await readFile(join(source, "embed.ts"), "utf8")).replace(/^(\/\/.*\n)+\n/, "");
    const readme = await readFile(join(source, "..", "README.md"), "utf8");
    assert.ok(readme.includes(`\`\`\`ts\n${example}\`\`\``), "the TypeScript block of README.md differs from examples/embed.ts");
  });

  it("bench/README.md shows compare-backends.ts as it is", async () => {
    const example = (await readFile(join(source, "compare-backends.ts"), "utf8")).replace(/^(\/\/.*\n)+\n/, "");
    const readme = await readFile(join(source, "..", "bench", "README.md"), "utf8");
    assert.ok(readme.includes(`\`\`\`ts\n${example}\`\`\``), "the TypeScript block of bench/README.md differs from the example");
  });

  it("embed.ts boots Linux, gets an answer from its shell, and stops it", async function () {
    this.timeout(320_000);
    const images = await fetchDebianImages().catch((error: Error) => {
      console.log(`        skipped: ${error.message}`);
      return this.skip();
    });
    const initrd = join(folder, "initrd.cpio");
    await writeFile(initrd, await busyboxInitramfs({ busybox: images.busybox }));
    const { stdout } = await run(process.execPath, [join(built, "embed.js"), images.kernel, initrd]);
    assert.equal(stdout, "the guest is x86_64\nended: stopped\n");
  });

  it("move.ts moves a computing Linux 20 times, and its checksum is right", async function () {
    this.timeout(320_000);
    const images = await fetchDebianImages().catch((error: Error) => {
      console.log(`        skipped: ${error.message}`);
      return this.skip();
    });
    const initrd = join(folder, "initrd.cpio");
    await writeFile(initrd, await busyboxInitramfs({ busybox: images.busybox }));
    const { stdout } = await run(process.execPath, [join(built, "move.js"), images.kernel, initrd]);
    assert.equal(stdout, "the checksum is right after 20 moves\n");
  });

  it("embed.ts says what is wrong and starts nothing when a file is missing", async () => {
    const { stderr, stdout } = await run(process.execPath, [
      join(built, "embed.js"),
      join(folder, "no-kernel"),
      join(folder, "no-initrd"),
    ]);
    assert.match(stderr, /^boot\.kernel: .*no-kernel/m);
    assert.match(stderr, /^boot\.initrd\[0\]: .*no-initrd/m);
    assert.equal(stdout, "");
  });

  for (const host of ["inline", "worker"] as const) {
    it(`device-plugin.ts logs what a guest writes to its port, hosted ${host}`, async () => {
      const image = join(folder, "rom.bin");
      await writeFile(image, new Uint8Array(4096));
      await using ringzero = new Ringzero({ plugins: [...fakePlugins, postCard], discover: import.meta.url });
      const spec = defineMachine({
        memory: "16MiB",
        platform: "fake-pc",
        boot: { kind: "firmware", image },
        devices: [{ plugin: "@acme/post-card", options: { port: 0x84 } }],
        engine: fakeGuest([
          { do: "in", port: 0x84, expect: 0xff },
          { do: "out", port: 0x84, value: 0x42 },
          { do: "out", port: 0x500, value: 1 },
        ]),
      });
      await using machine = await ringzero.create(spec, { backend: "fake", host });
      const codes: unknown[] = [];
      machine.on("log", ({ message, fields }) => codes.push([message, fields["code"]]));
      await machine.start();
      assert.deepEqual(await machine.exited, { reason: "powered-off" });
      assert.deepEqual(codes, [["POST", 0x42]]);
    });
  }
});

describeDisk("disk-plugin.ts", () => openPlugin(labelDisk as DiskPlugin, { label: "hello", blocks: 4 }), {
  content: { offsetBytes: 0, bytes: Uint8Array.from([...Buffer.from("hello"), ...new Array(1000).fill(0)]) },
});

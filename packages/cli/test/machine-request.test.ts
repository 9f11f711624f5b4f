// From options to a specification: defaults, combinations, and every problem at once.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RawRunOptions, readRunRequest } from "@ringzero/cli";

describe("the machine asked for by options", () => {
  let folder: string;
  let kernel: string;
  const file = async (name: string, content: string | Uint8Array): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  };
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "ringzero-cli-"));
    const image = Buffer.alloc(1024);
    image.writeUInt16LE(0xaa55, 0x1fe);
    image.write("HdrS", 0x202);
    kernel = await file("vmlinuz", image);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const wheres = async (raw: RawRunOptions): Promise<string[]> => (await readRunRequest(raw)).problems.map(({ where }) => where);
  const spec = async (raw: RawRunOptions): Promise<unknown> => {
    const { request, problems } = await readRunRequest(raw);
    assert.deepEqual(problems, []);
    return request.spec;
  };

  it("A kernel alone is a machine with 512 MiB", async () => {
    assert.deepEqual(await spec({ kernel }), { memory: "512MiB", boot: { kind: "linux", kernel } });
  });

  it("Options become fields of the specification", async () => {
    const raw = {
      kernel,
      initrd: ["a", "b"],
      append: "quiet",
      cpus: "2",
      memory: "1073741824",
      name: "m",
      device: ["debug-exit:port=1"],
      disk: ["raw:path=x"],
      net: ["user"],
    };
    assert.deepEqual(await spec(raw), {
      name: "m",
      cpus: 2,
      memory: 1073741824,
      boot: { kind: "linux", kernel, initrd: ["a", "b"], append: "quiet" },
      devices: [{ plugin: "debug-exit", options: { port: 1 } }],
      disks: [{ disk: { plugin: "raw", options: { path: "x" } } }],
      nics: [{ network: { plugin: "user" } }],
    });
  });

  it("Initrds of a Multiboot kernel are its modules, and --kernel-kind overrules the file", async () => {
    assert.deepEqual(await spec({ kernel, "kernel-kind": "multiboot", initrd: ["m args"] }), {
      memory: "512MiB",
      boot: { kind: "multiboot", kernel, modules: ["m args"] },
    });
  });

  it("Firmware is a way to boot, and excludes a kernel", async () => {
    assert.deepEqual(await spec({ firmware: "bios.bin" }), {
      memory: "512MiB",
      boot: { kind: "firmware", image: "bios.bin" },
    });
    assert.deepEqual(await wheres({ firmware: "bios.bin", kernel, initrd: ["x"], append: "y" }), [
      "--kernel",
      "--initrd",
      "--append",
    ]);
  });

  it("Options change and extend a specification from a file, and leave the rest of it", async () => {
    const path = await file(
      "machine.json",
      JSON.stringify({
        memory: "64MiB",
        cpus: 1,
        boot: { kind: "linux", kernel: "k", append: "old" },
        devices: [{ plugin: "a" }],
      }),
    );
    assert.deepEqual(await spec({ spec: path, memory: "2GiB", append: "new", device: ["b"] }), {
      memory: "2GiB",
      cpus: 1,
      boot: { kind: "linux", kernel: "k", append: "new" },
      devices: [{ plugin: "a" }, { plugin: "b" }],
    });
  });

  it("A problem of a field is told in the words it was written in", async () => {
    const path = await file(
      "where.json",
      JSON.stringify({ memory: "64MiB", boot: { kind: "linux", kernel: "k" }, devices: [{ plugin: "a" }] }),
    );
    const { request } = await readRunRequest({ spec: path, cpus: "2", device: ["b"] });
    assert.equal(request.whereIs("cpus"), "--cpus");
    assert.equal(request.whereIs("memory"), `${path}: memory`);
    assert.equal(request.whereIs("boot.kernel"), `${path}: boot.kernel`);
    assert.equal(request.whereIs("devices[0].plugin"), `${path}: devices[0].plugin`);
    assert.equal(request.whereIs("devices[1].options.port"), "--device (number 1)");
  });

  it("Every problem is found in one go, each with its option", async () => {
    const raw = {
      kernel: join(folder, "absent"),
      cpus: "two",
      device: ["=", "ok"],
      console: "printer",
      timeout: "-1",
      spec: join(folder, "absent.json"),
    };
    assert.deepEqual((await wheres(raw)).sort(), ["--console", "--cpus", "--device", "--kernel", "--spec", "--timeout"]);
  });

  it("Every message names the value and a remedy", async () => {
    const { problems } = await readRunRequest({ kernel: folder, cpus: "2.5", timeout: "soon", console: "file:" });
    const text = problems.map(({ where, message }) => `${where}: ${message}`);
    assert.ok(
      text.some((line) => line.startsWith(`--kernel: ${folder}: is a directory; name a file`)),
      text.join("\n"),
    );
    assert.ok(
      text.some((line) => /--cpus: "2.5" is not a whole number; give/.test(line)),
      text.join("\n"),
    );
    assert.ok(
      text.some((line) => /--timeout: "soon" is not a number of seconds/.test(line)),
      text.join("\n"),
    );
    assert.ok(
      text.some((line) => /--console: "file:" is not stdio, file:PATH or none/.test(line)),
      text.join("\n"),
    );
  });

  it("Nothing to boot, a file that is no kernel, and a spec that is no JSON object are problems", async () => {
    assert.deepEqual(await wheres({}), ["--kernel"]);
    assert.deepEqual(await wheres({ kernel: await file("noise", Buffer.alloc(4096, 0xa5)) }), ["--kernel"]);
    assert.deepEqual(await wheres({ spec: await file("bad.json", "{") }), ["--spec"]);
    assert.deepEqual(await wheres({ spec: await file("list.json", "[]") }), ["--spec"]);
  });

  it("An option given twice that can be given once is a problem", async () => {
    assert.deepEqual(await wheres({ kernel, memory: ["1GiB", "2GiB"] }), ["--memory"]);
  });

  it("A timeout may be a fraction of a second", async () => {
    assert.equal((await readRunRequest({ kernel, timeout: "0.25" })).request.timeoutMs, 250);
  });
});

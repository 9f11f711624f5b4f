// Fetching through the package client, with a package client of the test's own: nothing here touches a network.

import { strict as assert } from "node:assert";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FetchProgress, fetchDebianImages } from "@ringzero/boot";
import { Folder, refuses } from "./synthetic.js";

/** Shell scripts that answer like apt-cache, apt-get and dpkg-deb. The .deb is a text file that says what it unpacks to. */
const TOOLS = {
  "apt-cache": 'printf "%s\\n  Depends: linux-image-6.1.0-99-cloud-amd64\\n" "$5"',
  "apt-get": 'echo "$2" >> "$FAKE_LOG"; echo "$2" > "$2"_1%3a2.0_amd64.deb',
  "dpkg-deb": `case "$1" in
-f) echo "1:2.0" ;;
-x) /bin/mkdir -p "$3/boot" "$3/bin"
    case "$2" in
    *linux-image*) echo kernel > "$3/boot/vmlinuz-6.1.0-99-cloud-amd64" ;;
    *busybox*) echo busybox > "$3/bin/busybox" ;;
    esac ;;
esac`,
};

describe("images from Debian", () => {
  const folder = new Folder();
  let log: string;
  let cacheDirectory: string;
  let toolsPath: string;
  let number = 0;
  before(() => folder.make());
  after(() => folder.remove());
  beforeEach(async () => {
    const root = join(folder.path, String(number++));
    cacheDirectory = join(root, "cache");
    toolsPath = join(root, "tools");
    log = join(root, "log");
    await mkdir(toolsPath, { recursive: true });
    await writeFile(log, "");
    process.env["FAKE_LOG"] = log;
    for (const [name, script] of Object.entries(TOOLS)) await tool(name, script);
  });
  afterEach(() => {
    delete process.env["FAKE_LOG"];
  });
  const tool = async (name: string, script: string) => {
    await writeFile(join(toolsPath, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(toolsPath, name), 0o755);
  };
  const fetch = (more: object = {}) => fetchDebianImages({ cacheDirectory, toolsPath, ...more });

  it("fetches the package behind the meta package, and BusyBox, with progress that grows to 1", async () => {
    const seen: FetchProgress[] = [];
    const images = await fetch({ onProgress: (progress: FetchProgress) => seen.push(progress) });
    assert.equal(images.cached, false);
    assert.equal(await readFile(images.kernel, "utf8"), "kernel\n");
    assert.equal(await readFile(images.busybox, "utf8"), "busybox\n");
    assert.match(images.kernel, /vmlinuz-6\.1\.0-99-cloud-amd64$/);
    assert.equal(images.versions.kernel, "linux-image-6.1.0-99-cloud-amd64 1:2.0");
    assert.deepEqual((await readFile(log, "utf8")).trim().split("\n"), ["linux-image-6.1.0-99-cloud-amd64", "busybox-static"]);
    assert.deepEqual([seen[0]?.step, seen.at(-1)?.step, seen.at(-1)?.fraction], ["resolving", "ready", 1]);
    const fractions = seen.map(({ fraction }) => fraction);
    assert.deepEqual(
      fractions,
      [...fractions].sort((a, b) => a - b),
    );
  });

  it("takes the second from the cache, without a package client", async () => {
    const first = await fetch();
    const second = await fetch({ toolsPath: "/nonexistent" });
    assert.deepEqual(second, { ...first, cached: true });
    assert.deepEqual(await readdir(cacheDirectory), ["debian-cloud"]); // nothing is left beside it
  });

  it("fetches again when the cache is damaged", async () => {
    const first = await fetch();
    await writeFile(join(cacheDirectory, "debian-cloud", "images.json"), "{");
    assert.equal((await fetch()).cached, false);
    assert.equal((await fetch()).kernel, first.kernel);
  });

  it("lets two fetch at once", async () => {
    const [one, two] = await Promise.all([fetch(), fetch()]);
    assert.equal(one.kernel, two.kernel);
    assert.deepEqual(await readdir(cacheDirectory), ["debian-cloud"]);
  });

  it("says which two files to pass where there is no apt", async () => {
    await refuses(fetch({ toolsPath: "/nonexistent" }), "IMAGE_FETCH_FAILED", "no apt", "--kernel FILE", "--busybox FILE");
  });

  it("says so where there is no network, with apt's own words, and leaves nothing behind", async () => {
    await tool("apt-get", 'echo "E: Failed to fetch: Could not resolve host" >&2; exit 100');
    await refuses(fetch(), "IMAGE_FETCH_FAILED", "Could not resolve host", "--kernel FILE", "--busybox FILE");
    assert.deepEqual(await readdir(cacheDirectory), []);
  });

  it("says so when apt has no lists yet", async () => {
    await tool("apt-cache", 'echo "E: No packages found" >&2; exit 100');
    await refuses(fetch(), "IMAGE_FETCH_FAILED", "No packages found", "apt-get update", "--kernel FILE");
    await tool("apt-cache", "exit 0");
    await refuses(fetch(), "IMAGE_FETCH_FAILED", "apt-get update");
  });

  it("says so when a package cannot be unpacked, or lacks what it should have", async () => {
    await tool("dpkg-deb", 'echo "dpkg-deb: error: unexpected end of file" >&2; exit 2');
    await refuses(fetch(), "IMAGE_FETCH_FAILED", "unexpected end of file");
    await tool("dpkg-deb", "echo 1");
    await refuses(fetch(), "IMAGE_FETCH_FAILED", "vmlinuz");
  });

  it("says so when the cache cannot be written", async () => {
    await writeFile(join(folder.path, "file"), "");
    await refuses(fetch({ cacheDirectory: join(folder.path, "file", "cache") }), "IMAGE_FETCH_FAILED", "XDG_CACHE_HOME");
  });

  it("can be aborted, and leaves nothing behind", async () => {
    await tool("apt-get", "/bin/sleep 30");
    const controller = new AbortController();
    const running = fetch({ signal: controller.signal });
    setTimeout(() => controller.abort(), 100);
    await assert.rejects(running, { name: "AbortError" });
    assert.deepEqual(await readdir(cacheDirectory), []);
  });
});

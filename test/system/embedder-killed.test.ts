// An embedder that is killed leaves nothing behind: no engine process, no file in the places where temporary files live.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { guestImages } from "./linux-guest.js";

/** All descendants of a process. */
function descendants(pid: number): number[] {
  const children: number[] = [];
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const list = readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim();
    if (list) children.push(...list.split(" ").map(Number));
  }
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function alive(pid: number): boolean {
  try {
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Shared memory that has a name, which ours must not. */
function namedMemory(): string[] {
  return readdirSync("/dev/shm").filter((name) => name.includes("ringzero"));
}

describe("an embedder killed with SIGKILL while its guest spins", function () {
  this.timeout(120_000);
  let child: ChildProcess | null = null;

  before(async function () {
    if (!(await guestImages())) this.skip(); // no apt and no network
  });
  const folders: string[] = [];
  after(async () => {
    child?.kill("SIGKILL");
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });

  it("leaves no process and no file of the engine behind", async () => {
    // A temporary folder of its own: other programs on this host make files too.
    const folder = await mkdtemp(join(tmpdir(), "killed-embedder-"));
    folders.push(folder);
    const memoryBefore = namedMemory();
    child = spawn(process.execPath, [join(import.meta.dirname, "embedder.js")], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, TMPDIR: folder },
    });
    await once(child.stdout!, "data");
    const processes = descendants(child.pid!);
    assert.ok(processes.length > 0, "the engine runs in a process of its own");
    child.kill("SIGKILL");
    await once(child, "exit");
    for (let waitedMs = 0; waitedMs < 5000 && processes.some(alive); waitedMs += 50) await delay(50);
    assert.deepEqual(processes.filter(alive), []);
    // The embedder's own file is the folder with its initramfs.
    assert.deepEqual(
      readdirSync(folder).filter((name) => !name.startsWith("ringzero-system-test-")),
      [],
    );
    assert.deepEqual(namedMemory(), memoryBefore);
  });
});

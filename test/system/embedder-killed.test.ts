// An embedder that is killed leaves nothing behind: no engine process, no file in the places where temporary files live.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync } from "node:fs";
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

function files(): Set<string> {
  return new Set([tmpdir(), "/dev/shm"].flatMap((folder) => readdirSync(folder).map((name) => join(folder, name))));
}

describe("an embedder killed with SIGKILL while its guest spins", function () {
  this.timeout(120_000);
  let child: ChildProcess | null = null;

  before(async function () {
    if (!(await guestImages())) this.skip(); // no apt and no network
  });
  after(() => child?.kill("SIGKILL"));

  it("leaves no process and no file of the engine behind", async () => {
    const filesBefore = files();
    child = spawn(process.execPath, [join(import.meta.dirname, "embedder.js")], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout!, "data");
    const processes = descendants(child.pid!);
    assert.ok(processes.length > 0, "the engine runs in a process of its own");
    child.kill("SIGKILL");
    await once(child, "exit");
    for (let waitedMs = 0; waitedMs < 5000 && processes.some(alive); waitedMs += 50) await delay(50);
    assert.deepEqual(processes.filter(alive), []);
    // The test's own embedder had a folder with its initramfs; that is the embedder's file, not the engine's.
    const left = [...files()].filter((file) => !filesBefore.has(file));
    for (const file of left.filter((name) => name.includes("ringzero-system-test-"))) rmSync(file, { recursive: true });
    assert.deepEqual(
      left.filter((name) => name.includes("ringzero") && !name.includes("ringzero-system-test-")),
      [],
    );
  });
});

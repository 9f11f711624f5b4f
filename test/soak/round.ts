// One round: boot a guest, let it work, compare what it prints. The guest says every second that it lives; one that falls silent is taken
// for hung, and its engine is made to write its flight recorder. What must stay true: a round ends, whatever the guest does.

import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { busyboxInitramfs, type DebianImages, linux } from "@ringzero/boot";
import { defineMachine, type Machine, Ringzero } from "@ringzero/core";
import { engineOptions, type Mode } from "./modes.js";
import type { Prepared } from "./workloads.js";

export interface RoundResult {
  readonly outcome: "ok" | "different" | "complaint" | "hang" | "crash" | "timeout";
  /** All that the console showed. */
  readonly console: string;
  /** What is wrong, and the flight recorder where there is one. */
  readonly detail: string;
}

export interface RoundOptions {
  readonly images: DebianImages;
  readonly guest: Prepared;
  readonly mode: Mode;
  readonly cpus: number;
  readonly cpuProfile: string;
  /** How long the guest may take; longer on a busy host, while its engine goes on working but has not had so much processor time. */
  readonly limitMs: number;
}

const SILENT_MS = 60_000;
/** A guest that waits for a lost wake-up still lives once a second: an engine that had less than this part of the time is not working. */
const WORKING = 0.1;
const COMPLAINTS = /WARNING: CPU|BUG:|Oops|Call Trace|soft lockup|rcu: INFO|Firmware Bug|segfault at|traps: .* trap|Kernel panic/;

const SCRIPT = `mkdir -p /dev/pts; mount -t devpts p /dev/pts; mount -t tmpfs t /tmp
(n=0; while sleep 1; do n=$((n+1)); echo "heartbeat $n"; done) &
cd /root; sh /soak.sh > /tmp/result 2> /tmp/errors; status=$?
kill $!
echo "RESULT BEGINS"; cat /tmp/result; echo "RESULT ENDS"
[ $status = 0 ] || { echo "the workload ended with $status"; cat /tmp/errors; }
exit $status
`;

export async function runRound(options: RoundOptions): Promise<RoundResult> {
  const { images, guest, mode } = options;
  const folder = await mkdtemp(join(tmpdir(), "ringzero-soak-"));
  const name = `soak-${process.pid}-${folder.slice(-6)}`;
  const sdk = new Ringzero({ discover: import.meta.url });
  let machine: Machine | undefined;
  try {
    const initrd: string[] = [];
    const base = await busyboxInitramfs({
      busybox: guest.busybox ?? images.busybox,
      commands: ["sh /round.sh"],
      files: [
        { path: "soak.sh", content: guest.script },
        { path: "round.sh", content: SCRIPT },
      ],
    });
    for (const archive of [base, ...guest.initramfs]) {
      initrd.push(join(folder, `${initrd.length}.cpio`));
      await writeFile(initrd.at(-1)!, archive);
    }
    const spec = defineMachine({
      name,
      memory: guest.memory,
      cpus: options.cpus,
      cpuProfile: options.cpuProfile,
      engine: engineOptions(mode, options.cpus),
      boot: linux({ kernel: guest.kernel ?? images.kernel, initrd, append: "console=ttyS0 quiet panic=-1 oops=panic" }),
    });
    machine = await sdk.create(spec, { backend: "bt" });
    return await watch(machine, name, options);
  } finally {
    await machine?.dispose().catch(() => {});
    await sdk[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
}

/** It may have ended by itself since it was looked for. */
function abortIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGABRT");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function watch(machine: Machine, name: string, { guest, mode, limitMs }: RoundOptions): Promise<RoundResult> {
  const chunks: Buffer[] = [];
  let lastWord = Date.now();
  machine.on("console", ({ bytes }) => {
    chunks.push(Buffer.from(bytes));
    lastWord = Date.now();
  });
  const text = () => Buffer.concat(chunks).toString("latin1").replaceAll("\r\n", "\n");
  let verdict: "hang" | "timeout" | null = null;
  const began = Date.now();
  const patience = setInterval(async () => {
    const silent = Date.now() - lastWord > SILENT_MS * mode.patience;
    const took = Date.now() - began;
    if (!silent && took < limitMs) return;
    const engines = await enginesOf(name);
    if (!silent) {
      const worked = Math.max(...(await Promise.all(engines.map(processorMs))), 0);
      if (worked < limitMs && worked > took * WORKING) return;
    }
    clearInterval(patience);
    verdict = silent ? "hang" : "timeout";
    // Whoever aborts it, the engine writes its registers and its last blocks into the flight recorder, and the event brings them here.
    for (const pid of engines) abortIfThere(pid);
  }, 1000);
  try {
    await machine.start();
    const exit = await machine.exited;
    const said = text();
    const recorder = exit.reason === "crashed" ? `${exit.message}\n${exit.flightRecorder}` : JSON.stringify(exit);
    if (verdict) return { outcome: verdict, console: said, detail: recorder };
    if (exit.reason === "crashed") return { outcome: "crash", console: said, detail: recorder };
    const complaint = said.split("\n").find((line) => COMPLAINTS.test(line));
    if (complaint) return { outcome: "complaint", console: said, detail: complaint };
    const result = /^RESULT BEGINS\n([\s\S]*?)^RESULT ENDS$/m.exec(said)?.[1];
    if (result !== guest.expected || exit.reason !== "powered-off") {
      const detail = `${recorder}\nexpected:\n${guest.expected}\nthe guest said:\n${result ?? "(nothing)"}`;
      return { outcome: "different", console: said, detail };
    }
    return { outcome: "ok", console: said, detail: "" };
  } finally {
    clearInterval(patience);
  }
}

/** The engine's processes of a machine, found by the name in their arguments. */
/** Processor time of a process until now. Source: proc(5), /proc/PID/stat, in hundredths of a second. */
async function processorMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return 10 * (Number(fields[11] ?? 0) + Number(fields[12] ?? 0));
}

async function enginesOf(machineName: string): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    const words = (await readFile(`/proc/${entry}/cmdline`, "latin1").catch(() => "")).split("\0");
    if (words[0]?.endsWith("ringzero-engine") && words.includes(machineName)) found.push(Number(entry));
  }
  return found;
}

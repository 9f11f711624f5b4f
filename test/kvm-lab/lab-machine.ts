// The lab's machine: QEMU's emulated processor with SVM and nested paging, and an image of lab-image.ts in it.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostTscKhz } from "./host-tsc.js";
import type { LabImage } from "./lab-image.js";

/** How long the lab stands still at most when it lost an interrupt. */
const NUDGE_MS = 200;

export interface LabMachineOptions {
  readonly image: LabImage;
  /** Program. */
  readonly qemu: string;
  readonly cpus: number;
  readonly memoryMib: number;
  /** Whether its first CPU gets an interrupt from outside, again and again; see `losesInterrupts`. */
  readonly nudged: boolean;
  /** Whether the console is this process's own terminal; otherwise it is the child's standard output. */
  readonly onTerminal: boolean;
  /** QEMU is killed after this. */
  readonly limitMs: number;
}

export interface LabMachine {
  readonly qemu: ChildProcess;
  /** How it ended; the image is removed by then. */
  readonly ended: Promise<{ readonly code: number | null; readonly timedOut: boolean }>;
}

export async function startLabMachine(options: LabMachineOptions): Promise<LabMachine> {
  const { image, cpus, memoryMib, nudged, onTerminal, limitMs } = options;
  const folder = await mkdtemp(join(tmpdir(), "ringzero-kvm-lab-"));
  const initrd = join(folder, "lab.cpio");
  const nudges = join(folder, "nudges");
  const tscKhz = await hostTscKhz();
  await writeFile(initrd, Buffer.concat(image.initramfs));
  const qemu = spawn(
    options.qemu,
    [
      // Without MONITOR an idle kernel halts; with it, it spins, and takes the time of the others.
      ...[
        "-accel",
        "tcg,thread=multi",
        "-M",
        "q35",
        "-nodefaults",
        "-cpu",
        "max,-monitor",
        "-smp",
        `${cpus}`,
        "-m",
        `${memoryMib}`,
      ],
      ...["-display", "none", "-no-reboot", "-kernel", image.kernel, "-initrd", initrd],
      // signal=off: an interrupt key is the guest's.
      ...["-chardev", `stdio,id=console${onTerminal ? ",signal=off" : ""}`, "-serial", "chardev:console"],
      ...(nudged ? ["-chardev", `socket,id=nudges,path=${nudges},server=on,wait=off`, "-serial", "chardev:nudges"] : []),
      // The emulated TSC is the host's own, so the kernel need not compare it with slower clocks; both engines then measure the same rate.
      ...["-append", `console=ttyS0 quiet panic=-1 loglevel=4 tsc=reliable${tscKhz === null ? "" : ` tsc_early_khz=${tscKhz}`}`],
    ],
    { stdio: onTerminal ? "inherit" : ["ignore", "pipe", "pipe"] },
  );
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    qemu.kill("SIGKILL");
  }, limitMs);
  const ended = new Promise<number | null>((settle) => qemu.once("close", settle)).then(async (code) => {
    clearTimeout(timer);
    await rm(folder, { recursive: true, force: true });
    return { code, timedOut };
  });
  await once(qemu, "spawn");
  if (nudged) void nudge(nudges, ended);
  return { qemu, ended };
}

/** A byte for the second serial port, at which the lab listens (lab-image.ts), every NUDGE_MS. */
async function nudge(socket: string, ended: Promise<unknown>): Promise<void> {
  let over = false;
  void ended.then(() => (over = true));
  while (!over) {
    const port = connect(socket).resume(); // what comes back is the terminal's echo
    const timer = setInterval(() => port.write("\n"), NUDGE_MS);
    await new Promise<void>((closed) => port.on("error", () => undefined).once("close", () => closed()));
    clearInterval(timer);
    await new Promise((later) => setTimeout(later, NUDGE_MS)); // QEMU does not listen yet, or ends
  }
}

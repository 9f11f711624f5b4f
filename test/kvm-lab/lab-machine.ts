// The lab's machine: QEMU's emulated processor with SVM and nested paging, and an image of lab-image.ts in it.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { LabImage } from "./lab-image.js";

export interface LabMachineOptions {
  readonly image: LabImage;
  /** Program. */
  readonly qemu: string;
  readonly cpus: number;
  readonly memoryMib: number;
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

/**
 * Before 8.1, QEMU with more than one emulated processor may keep a translation of code that another one patched meanwhile. Linux patches its
 * scheduler when KVM's first machine is made and when its last one goes; both processors then loop in the breakpoint that marks such a place.
 */
export async function qemuVersion(qemu: string): Promise<{ readonly version: string | null; readonly raceFree: boolean }> {
  const { stdout } = await promisify(execFile)(qemu, ["--version"]).catch(() => ({ stdout: "" }));
  const match = /version (\d+)\.(\d+)[\d.]*/.exec(stdout);
  if (!match) return { version: null, raceFree: false };
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return { version: match[0].slice("version ".length), raceFree: major > 8 || (major === 8 && minor >= 1) };
}

/** @returns null when there is no such program */
export async function startLabMachine(options: LabMachineOptions): Promise<LabMachine | null> {
  const { image, cpus, memoryMib, onTerminal, limitMs } = options;
  const folder = await mkdtemp(join(tmpdir(), "ringzero-kvm-lab-"));
  const initrd = join(folder, "lab.cpio");
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
      // The emulated TSC is the host's own, so the kernel need not compare it with slower clocks; both engines then measure the same rate.
      ...["-append", "console=ttyS0 quiet panic=-1 loglevel=4 tsc=reliable"],
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
  const started = await new Promise<boolean>((settle) => {
    qemu.once("spawn", () => settle(true));
    qemu.once("error", () => settle(false));
  });
  return started ? { qemu, ended } : null;
}

// How long it takes from the start of the process to the first line of userspace, beside QEMU's microvm on the same /dev/kvm. A figure, not a
// condition: interleaved, medians.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { busyboxInitramfs, USERSPACE_BANNER } from "@ringzero/boot";
import { guestImages } from "../../system/linux-guest.js";
import { LAB_PROFILE } from "../lab-lacks.js";
import type { Reporter } from "../part.js";

const ROUNDS = 5;
const RINGZERO = fileURLToPath(new URL("../../../../packages/cli/bin/ringzero.js", import.meta.url));
const APPEND = "console=ttyS0 quiet panic=-1";

export async function microvm(report: Reporter): Promise<void> {
  const qemu = ["/usr/bin/qemu-system-x86_64", "/usr/local/bin/qemu-system-x86_64"].find((path) => existsSync(path));
  if (!qemu) return report.skipped("boot time beside QEMU's microvm", "qemu-system-x86");
  const images = (await guestImages())!;
  const folder = await mkdtemp(join(tmpdir(), "microvm-"));
  const [initrd, spec] = [join(folder, "initrd.cpio"), join(folder, "machine.json")];
  await writeFile(initrd, await busyboxInitramfs({ busybox: images.busybox, commands: ["true"] }));
  const boot = { kind: "linux", kernel: images.kernel, initrd: [initrd], append: APPEND };
  await writeFile(spec, JSON.stringify({ name: "microvm", memory: "256MiB", cpuProfile: LAB_PROFILE, boot }));
  const contenders: Readonly<Record<string, readonly string[]>> = {
    ringzero: [process.execPath, RINGZERO, "run", "--backend", "kvm", "--spec", spec],
    qemu: [
      ...[
        qemu,
        "-accel",
        "kvm",
        "-M",
        "microvm",
        "-cpu",
        "host,-xsave",
        "-nodefaults",
        "-no-user-config",
        "-m",
        "256",
        "-no-reboot",
      ],
      ...["-display", "none", "-serial", "stdio", "-kernel", images.kernel, "-initrd", initrd, "-append", APPEND],
    ],
  };
  const times: Record<string, number[]> = { ringzero: [], qemu: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, command] of Object.entries(contenders)) {
      times[name]!.push(await untilUserspace(command));
      console.log(`${name} boots in ${times[name]!.at(-1)} ms`);
    }
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;
  const ours = median(times["ringzero"]!);
  const theirs = median(times["qemu"]!);
  const ratio = (ours / theirs).toFixed(2);
  report.passed("boot time beside QEMU's microvm", `${ours} ms and ${theirs} ms, ${ratio} of QEMU's; medians of ${ROUNDS}`);
}

/** @returns milliseconds; throws with the last output when the line does not appear */
function untilUserspace([program, ...words]: readonly string[]): Promise<number> {
  return new Promise((settle, reject) => {
    const began = performance.now();
    const child = spawn(program!, words, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let at: number | null = null;
    const timer = setTimeout(() => child.kill("SIGKILL"), 120_000);
    const take = (bytes: Buffer) => {
      output += bytes;
      if (at !== null || !output.includes(USERSPACE_BANNER)) return;
      at = performance.now();
      child.kill("SIGKILL");
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("error", reject);
    child.once("close", () => {
      clearTimeout(timer);
      if (at === null) reject(new Error(`${program} ended without "${USERSPACE_BANNER}": ${output.slice(-400)}`));
      else settle(Math.round(at - began));
    });
  });
}

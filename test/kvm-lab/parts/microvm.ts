// How long it takes from the order to the first line of userspace, beside QEMU's microvm on the same /dev/kvm: ours from `create` in a program
// that has the SDK loaded, as an embedder has, with the devices in a worker, in one that was prepared, and inline; QEMU's from the start of its
// process. Node and the command line are told apart: they are JavaScript that an emulated processor compiles. Figures, not conditions: interleaved, medians.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { busyboxInitramfs, linux, USERSPACE_BANNER } from "@ringzero/boot";
import { defineMachine, Ringzero } from "@ringzero/core";
import { guestImages } from "../../system/linux-guest.js";
import { LAB_PROFILE, PATIENCE_MS } from "../lab-lacks.js";
import type { Reporter } from "../part.js";

const ROUNDS = 3;
const RINGZERO = fileURLToPath(new URL("../../../../packages/cli/bin/ringzero.js", import.meta.url));
const APPEND = "console=ttyS0 quiet panic=-1";

const CONTENDERS = ["qemu", "worker", "prepared", "inline"] as const;
type Contender = (typeof CONTENDERS)[number];

export async function microvm(report: Reporter): Promise<void> {
  const qemu = ["/usr/bin/qemu-system-x86_64", "/usr/local/bin/qemu-system-x86_64"].find((path) => existsSync(path));
  if (!qemu) return report.skipped("boot time beside QEMU's microvm", "qemu-system-x86");
  const images = (await guestImages())!;
  const folder = await mkdtemp(join(tmpdir(), "microvm-"));
  const [initrd, specFile] = [join(folder, "initrd.cpio"), join(folder, "machine.json")];
  await writeFile(initrd, await busyboxInitramfs({ busybox: images.busybox, commands: ["true"] }));
  const boot = linux({ kernel: images.kernel, initrd: [initrd], append: APPEND });
  const spec = defineMachine({ name: "microvm", memory: "256MiB", cpuProfile: LAB_PROFILE, boot });
  await writeFile(specFile, JSON.stringify(spec));
  await using sdk = new Ringzero({ discover: import.meta.url });
  const times: Record<Contender, number[]> = { qemu: [], worker: [], prepared: [], inline: [] };
  const making: Record<Exclude<Contender, "qemu">, number[]> = { worker: [], prepared: [], inline: [] }; // until there is a machine to start
  const ours = async (how: Exclude<Contender, "qemu">): Promise<number> => {
    if (how === "prepared") await sdk.prepare();
    const began = performance.now();
    await using machine = await sdk.create(spec, { backend: "kvm", host: how === "inline" ? "inline" : "worker" });
    making[how].push(Math.round(performance.now() - began));
    await machine.start();
    await machine.console().waitFor(new RegExp(USERSPACE_BANNER), { timeoutMs: PATIENCE_MS });
    return Math.round(performance.now() - began);
  };
  const contenders = {
    // Without an RTC this kernel waits ten seconds for one; -xsave for the same reason as LAB_PROFILE.
    qemu: () =>
      untilUserspace([
        ...[qemu, "-accel", "kvm", "-M", "microvm,rtc=on", "-cpu", "host,-xsave", "-nodefaults", "-no-user-config", "-m", "256"],
        ...["-no-reboot", "-display", "none", "-serial", "stdio"],
        ...["-kernel", images.kernel, "-initrd", initrd, "-append", APPEND],
      ]),
    worker: () => ours("worker"),
    prepared: () => ours("prepared"),
    inline: () => ours("inline"),
  };
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of CONTENDERS) times[name].push(await contenders[name]());
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;
  const theirs = median(times.qemu);
  const beside = (name: Exclude<Contender, "qemu">): string =>
    `${median(times[name])} ms (${(median(times[name]) / theirs).toFixed(2)} of QEMU's, ${median(making[name])} ms to make the machine)`;
  const commandLine = await untilUserspace([process.execPath, RINGZERO, "run", "--backend", "kvm", "--spec", specFile]);
  await rm(folder, { recursive: true, force: true });
  report.passed(
    "boot time beside QEMU's microvm",
    `${theirs} ms of QEMU; ours ${beside("worker")} with the devices in a worker, ${beside("prepared")} in a prepared one, and ${beside("inline")} with them inline; ${commandLine} ms by the command line with Node's own start; medians of ${ROUNDS}`,
  );
}

/** @returns milliseconds; throws with the last output when the line does not appear */
function untilUserspace([program, ...words]: readonly string[]): Promise<number> {
  return new Promise((settle, reject) => {
    const began = performance.now();
    const child = spawn(program!, words, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let at: number | null = null;
    const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
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

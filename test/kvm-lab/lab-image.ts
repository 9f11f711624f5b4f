// The initramfs of the lab's guest: BusyBox, kvm-amd of the same kernel, this project with Node, and QEMU to compare with. Nothing in
// it is fetched twice: programs are the host's own with the libraries that they are linked with.

import { readdir, readFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { busyboxInitramfs, type DebianImages } from "@ringzero/boot";
import { filesInitramfs, hostProgramInitramfs } from "../guest-images/file-tree.js";
import { debianPackages } from "../guest-images/debian-packages.js";
import { projectInitramfs } from "./project-tree.js";
import { programNamed } from "./run-program.js";

export interface LabImage {
  readonly kernel: string;
  readonly initramfs: readonly Uint8Array[];
  /** Programs that the host does not have, so that what needs them is skipped in the lab. */
  readonly missing: readonly string[];
}

/** In the order in which they are loaded; the first three need not exist in every kernel. */
const MODULES = ["irqbypass", "ccp", "rng-core", "kvm", "kvm-amd"] as const;
/** As `ringzero doctor` recommends for KVM: guest memory, which is shared, may have huge pages as QEMU's private memory has. */
const HUGE_PAGES = "echo advise > /sys/kernel/mm/transparent_hugepage/shmem_enabled";
/** Takes what lab-machine.ts sends to make an interrupt; where there is no second serial port, nothing. */
const LISTEN = "cat /dev/ttyS1 > /dev/null 2>&1 &";
/** Optional: QEMU to compare with; what assembles guest programs. */
const PROGRAMS = ["qemu-system-x86_64", "as", "ld"] as const;

export interface LabImageOptions {
  readonly images: DebianImages;
  /** Root folder of this project. */
  readonly root: string;
  /** Line of the guest's shell, run in `root`; the machine powers off when it ends. */
  readonly command: string;
}

/** @returns null where the kernel's modules cannot be had; a line has been printed that says what */
export async function labImage({ images, root, command }: LabImageOptions): Promise<LabImage | null> {
  const system = await debianPackages({ packages: ["linux-image-cloud-amd64*"] });
  if (!system) return null;
  const kernelName = (await readdir(join(system, "boot"))).find((name) => name.startsWith("vmlinuz-"))!;
  const modules = await moduleFiles(join(system, "lib/modules", kernelName.slice("vmlinuz-".length)));
  const loads = MODULES.filter((name) => modules.has(name)).map((name) => `insmod /lib/lab/${name}.ko`);
  const initramfs = [
    await busyboxInitramfs({
      busybox: images.busybox,
      commands: [LISTEN, ...loads, HUGE_PAGES, "ls -l /dev/kvm", `cd ${root} && ${command}`],
    }),
    filesInitramfs(Object.fromEntries([...modules].map(([name, bytes]) => [`lib/lab/${name}.ko`, bytes]))),
    await projectInitramfs(root),
    await cachedImages(images),
  ];
  const node = await hostProgramInitramfs(process.execPath);
  if (!node) {
    console.log("      skipped: cannot tell which libraries Node needs (ldd)");
    return null;
  }
  initramfs.push(node);
  const missing: string[] = [];
  for (const name of PROGRAMS) {
    const found = programNamed(name);
    const archive = found ? await hostProgramInitramfs(found) : null;
    if (archive) initramfs.push(archive);
    else missing.push(name);
  }
  initramfs.push(filesInitramfs(await qemuFirmware()));
  return { kernel: join(system, "boot", kernelName), initramfs, missing };
}

/** What QEMU's microvm loads: its firmware, and the ROM that starts a kernel. */
async function qemuFirmware(): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for (const folder of ["/usr/share/seabios", "/usr/share/qemu"]) {
    for (const name of existsSync(folder) ? await readdir(folder) : []) {
      if (/^(bios|qboot|linuxboot|pvh|kvmvapic)[\w.-]*\.(bin|rom)$/.test(name))
        files[`${folder.slice(1)}/${name}`] = await readFile(join(folder, name));
    }
  }
  return files;
}

async function moduleFiles(folder: string): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for (const path of await readdir(folder, { recursive: true })) {
    const name = MODULES.find((each) => path.endsWith(`/${each}.ko`));
    if (name) found.set(name, await readFile(join(folder, path)));
  }
  return found;
}

/** The guest's two files where the SDK looks for them, so that it boots them in the lab without a network. */
async function cachedImages(images: DebianImages): Promise<Uint8Array> {
  const folder = dirname(images.kernel);
  const files: Record<string, Uint8Array> = {};
  for (const name of await readdir(folder))
    files[`root/.cache/ringzero/debian-cloud/${name}`] = await readFile(join(folder, name));
  return filesInitramfs(files);
}

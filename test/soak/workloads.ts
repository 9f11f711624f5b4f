// What soak rounds run in their guests, and what must come out: real programs whose results the host computes too, or that check
// themselves. What must stay true: a workload's output does not depend on the engine, the mode, or the number of processors.

import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { DebianImages } from "@ringzero/boot";
import { debianPackages } from "../guest-images/debian-packages.js";
import { filesInitramfs, hostProgramInitramfs, treeInitramfs } from "../guest-images/file-tree.js";
import { STRESS_NG_BOUNDS, STRESS_NG_PACKAGES, stressors } from "../guest-images/stress-ng.js";
import { COMPILER_PACKAGES, JAVA_PACKAGES, PYTHON_PACKAGES } from "../guest-images/userland.js";
import type { Random } from "./random.js";

const run = promisify(execFile);
const source = (name: string) => fileURLToPath(new URL(`../../guest-images/${name}`, import.meta.url));

/** A guest ready to be run. */
export interface Prepared {
  /** Default: Debian's cloud kernel. */
  readonly kernel?: string;
  readonly busybox?: string;
  readonly initramfs: readonly Uint8Array[];
  readonly memory: string;
  /** Run by a shell in /root; what it prints is the result. */
  readonly script: string;
  readonly expected: string;
}

export interface Workload {
  readonly name: string;
  /** @returns null where something that it needs cannot be had; a line has been printed that says what */
  prepare(images: DebianImages, cpus: number, random: Random): Promise<Prepared | null>;
}

const SHELL =
  "seq 1 20000 | awk '{ print ($1 * 7919) % 20011 }' | sort -n | gzip -c | gunzip -c | sha1sum; i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo $i | cat; done | md5sum; " +
  "i=0; s=0; while [ $i -lt 20000 ]; do i=$((i+1)); s=$((s + i*i % 7919)); done; echo $s; head -c 3000000 /dev/zero | sha512sum";

const kernelIn = async (tree: string) =>
  join(tree, "boot", (await readdir(join(tree, "boot"))).find((file) => file.startsWith("vmlinuz-"))!);

const shell: Workload = {
  name: "shell",
  prepare: async (images) => ({
    initramfs: [],
    memory: "256MiB",
    script: SHELL,
    expected: (await run(images.busybox, ["sh", "-c", SHELL])).stdout,
  }),
};

const shell32: Workload = {
  name: "shell-32bit",
  async prepare(images, cpus, random) {
    const kernel = random.pick(["linux-image-686-pae", "linux-image-686"]);
    const system = await debianPackages({ packages: [`${kernel}*`], architecture: "i386" });
    const busybox = await debianPackages({ packages: ["busybox-static"], architecture: "i386" });
    const same = await shell.prepare(images, cpus, random);
    if (!system || !busybox || !same) return null;
    return { ...same, kernel: await kernelIn(system), busybox: join(busybox, "bin/busybox") };
  },
};

const node: Workload = {
  name: "node",
  async prepare() {
    const program = await hostProgramInitramfs(process.execPath);
    if (!program) console.log("skipped: node: cannot tell which libraries Node needs (ldd)");
    if (!program) return null;
    return {
      initramfs: [program, filesInitramfs({ "root/jit-workload.cjs": await readFile(source("jit-workload.cjs")) })],
      memory: "1GiB",
      script: `${process.execPath} jit-workload.cjs 2>/dev/null`,
      expected: (await run(process.execPath, [source("jit-workload.cjs")])).stdout,
    };
  },
};

const java: Workload = {
  name: "java",
  async prepare() {
    const tree = await debianPackages({ packages: JAVA_PACKAGES });
    if (!tree) return null;
    const unwanted = /\/(src\.zip|ct\.sym|jmods\/.*|classes_nocoops\.jsa)$/;
    return {
      initramfs: [
        await treeInitramfs(tree, (path) => !unwanted.test(path)),
        filesInitramfs({ "root/Workload.java": await readFile(source("Workload.java")) }),
      ],
      memory: "1536MiB",
      script: "/usr/lib/jvm/java-17-openjdk-amd64/bin/java -Xmx400m Workload.java",
      expected: await readFile(source("Workload.expected"), "utf8"),
    };
  },
};

const python: Workload = {
  name: "python",
  async prepare() {
    const tree = await debianPackages({ packages: PYTHON_PACKAGES });
    if (!tree) return null;
    const libraries = join(tree, "usr/lib/x86_64-linux-gnu");
    const { stdout } = await run(
      join(libraries, "ld-linux-x86-64.so.2"),
      ["--library-path", libraries, join(tree, "usr/bin/python3.11"), source("python-workload.py")],
      { env: { PYTHONHOME: join(tree, "usr"), PYTHONDONTWRITEBYTECODE: "1", LC_ALL: "C" } },
    );
    return {
      initramfs: [
        await treeInitramfs(tree),
        filesInitramfs({ "root/workload.py": await readFile(source("python-workload.py")) }),
      ],
      memory: "512MiB",
      script: "LC_ALL=C python3.11 workload.py",
      expected: stdout,
    };
  },
};

const compile: Workload = {
  name: "compile",
  async prepare() {
    const tree = await debianPackages({ packages: COMPILER_PACKAGES });
    if (!tree) return null;
    const unwanted = /^usr\/(lib\/gcc\/.*\/(lto1|lto-wrapper|.*san.*)|lib\/x86_64-linux-gnu\/gconv\/.*)$/;
    return {
      initramfs: [
        await treeInitramfs(tree, (path) => !unwanted.test(path)),
        filesInitramfs({ "root/program.c": await readFile(source("compiled-program.c")) }),
      ],
      memory: "1GiB",
      // The compiler may use whatever the profile has, and nothing else: the processor refuses what it does not report.
      script:
        "v=2; grep -q avx2 /proc/cpuinfo && v=3; " +
        `for o in -O0 -O2 "-O3 -march=x86-64-v$v"; do gcc-12 $o -o program program.c && ./program || exit 1; done`,
      expected: "sum f693099aafa1e795\n".repeat(3),
    };
  },
};

/**
 * Status 3: a stressor "had no resources", which some also say when their time was over before they began to work, as on a busy host. What is wrong stands
 * in lines of their own; mutex has such a line for threads that it had no time to make (were one refused, it would say why).
 */
const unlessLate = `{ [ $? = 3 ] && ! grep fail: log | grep -qv 'could not create any pthreads'; } || { cat log; exit 1; }`;

const stress: Workload = {
  name: "stress-ng",
  async prepare(_images, cpus, random) {
    const tree = await debianPackages({ packages: STRESS_NG_PACKAGES });
    if (!tree) return null;
    const chosen = random.some(Object.values(stressors).flat(), 12);
    return {
      initramfs: [await treeInitramfs(tree)],
      memory: "1GiB",
      script:
        "mkdir -p /dev/shm; mount -t tmpfs t /dev/shm; cd /dev/shm; " +
        `stress-ng ${chosen.map((name) => `--${name} ${cpus}`).join(" ")} ${STRESS_NG_BOUNDS} -t 15s --verify > log 2>&1 || ${unlessLate}`,
      expected: "",
    };
  },
};

const patching: Workload = {
  name: "patching",
  async prepare() {
    const tree = await debianPackages({ packages: ["linux-image-amd64*"] });
    if (!tree) return null;
    const modules = /^usr\/lib\/modules\/[^/]+\/(modules\.|kernel\/(crypto|lib|arch\/x86)\/)/;
    return {
      kernel: await kernelIn(tree),
      initramfs: [await treeInitramfs(tree, (path) => modules.test(path) || path === "lib")],
      memory: "512MiB",
      script: `dmesg -n 1; depmod; mkdir -p /t; mount -t tracefs t /t; echo 1 > /proc/sys/net/core/bpf_jit_enable
modprobe test_bpf test_range=0,500 && rmmod test_bpf && dmesg | grep -c 'Summary: 501 PASSED, 0 FAILED'
(for m in aesni-intel sha512-ssse3 ghash-clmulni-intel chacha-x86_64 poly1305-x86_64 serpent-avx2 twofish-avx-x86_64 raid6_pq xor; do modprobe $m; done) &
for i in 1 2; do echo function > /t/current_tracer; echo nop > /t/current_tracer; done; wait
for i in 1 2 3; do modprobe test_static_keys; rmmod test_static_keys test_static_key_base; done
grep -A2 selftest /proc/crypto | grep -cE 'selftest *: [^p]'`,
      expected: "1\n0\n",
    };
  },
};

export const WORKLOADS: readonly Workload[] = [shell, shell32, node, java, python, compile, stress, patching];

export function workloadNamed(name: string): Workload {
  const workload = WORKLOADS.find((candidate) => candidate.name === name);
  if (!workload) {
    throw new RangeError(`there is no workload ${name}; there are ${WORKLOADS.map((each) => each.name).join(", ")}`);
  }
  return workload;
}

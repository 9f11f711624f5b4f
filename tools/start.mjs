// npm start, after set-up: a stock Debian kernel and BusyBox on the binary translator. With a terminal on stdin an interactive shell;
// without one a short scripted session, which ends with exit status 0 only if the guest powered itself off.
// What must stay true: nothing is fetched twice, and whoever has no apt or no network is told which two files to pass.

import { createHash } from "node:crypto";
import { access, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const HELP = `npm start -- [options]: boot a stock Debian kernel with a BusyBox shell, on the binary translator

  --kernel F   a Linux bzImage for x86-64, instead of Debian's cloud kernel
  --busybox F  a static x86-64 BusyBox, instead of Debian's
  --memory S   RAM [default: 512MiB]
  --append S   further words for the kernel's command line
  --script     the scripted session, even on a terminal
  --verbose    let the kernel print its messages
  --help       this

Files that are not given are fetched with apt-get download, without root, and cached.
On a terminal: Ctrl-A X leaves, Ctrl-A H helps; "exit" powers the guest off.
`;

/** What the guest does when nobody is there to type. Each answer is known, and compared by packages/cli/test/start.test.ts. */
const SESSION = [
  "uname -a",
  "grep -m1 'model name' /proc/cpuinfo",
  "head -c 1048576 /dev/zero | sha256sum",
  'i=0; sum=0; while [ $i -lt 10000 ]; do i=$((i + 1)); sum=$((sum + i * i)); done; echo "sum of squares up to 10000: $sum"',
  `awk 'BEGIN { x = 1; for (i = 0; i < 6; i++) x = (x + 2 / x) / 2; printf "square root of 2: %.15f\\n", x }'`,
];
const SESSION_SECONDS = 300;

const { values } = readArguments();
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const dist = (name) => import(new URL(`../packages/${name}/bundle/index.js`, import.meta.url).href);
const [boot, cli] = await Promise.all([dist("boot"), dist("cli")]);

try {
  const images = await findImages();
  const interactive = process.stdin.isTTY === true && !values.script;
  const initrd = await initramfs(images.busybox, interactive ? undefined : SESSION);
  // Quiet down to critical messages: machines of this version have no PCI bus, which the kernel calls an error.
  const append = [
    "console=ttyS0",
    values.verbose ? "" : "quiet loglevel=3",
    ...(interactive ? terminalWords() : []),
    values.append ?? "",
  ]
    .filter(Boolean)
    .join(" ");
  if (interactive) console.error("ringzero: booting Linux; Ctrl-A X leaves, Ctrl-A H helps");
  process.exitCode = await cli.runProgram(
    [
      "run",
      ...["--name", "start"],
      ...["--backend", "bt"],
      ...["--kernel", images.kernel],
      ...["--initrd", initrd],
      `--append=${append}`,
      ...["--memory", values.memory ?? "512MiB"],
      ...["--device", "debug-exit"],
      ...(interactive ? [] : ["--timeout", String(SESSION_SECONDS)]),
    ],
    cli.processHost(),
  );
} catch (error) {
  if (error?.name !== "RingzeroError") throw error;
  console.error(`ringzero: ${error.message}`);
  process.exitCode = 2;
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        kernel: { type: "string" },
        busybox: { type: "string" },
        memory: { type: "string" },
        append: { type: "string" },
        script: { type: "boolean" },
        verbose: { type: "boolean" },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    console.error(`ringzero: ${error.message}; see npm start -- --help`);
    process.exit(2);
  }
}

/** Fetches only what was not given. */
async function findImages() {
  const { kernel, busybox } = values;
  if (kernel && busybox) return { kernel, busybox };
  const progress = cli.fetchProgress(process.stderr);
  try {
    const fetched = await boot.fetchDebianImages({ onProgress: progress.onProgress });
    return { kernel: kernel ?? fetched.kernel, busybox: busybox ?? fetched.busybox };
  } finally {
    progress.stop();
  }
}

/** The archive's path; made anew only when its content would differ. Beside the images in the cache, so that a killed run leaves nothing in /tmp. */
async function initramfs(busybox, commands) {
  const bytes = await boot.busyboxInitramfs({ busybox, ...(commands ? { commands } : {}) });
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "ringzero");
  const path = join(folder, `initramfs-${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}.cpio`);
  if (await isSame(path, bytes)) return path;
  await mkdir(folder, { recursive: true });
  const aside = `${path}.${process.pid}`;
  await writeFile(aside, bytes);
  await rename(aside, path);
  return path;
}

async function isSame(path, bytes) {
  try {
    await access(path);
    return Buffer.compare(await readFile(path), bytes) === 0;
  } catch {
    return false;
  }
}

/** Unknown words of the command line become the environment of the guest's first process, which sets the console's size from them. */
function terminalWords() {
  const term = /^[A-Za-z0-9._-]+$/.test(process.env.TERM ?? "") ? process.env.TERM : "linux";
  const { rows, columns } = process.stdout;
  return [`TERM=${term}`, ...(rows && columns ? [`RZ_ROWS=${rows}`, `RZ_COLUMNS=${columns}`] : [])];
}

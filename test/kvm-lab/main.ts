// `npm run kvm-lab`: a machine with real AMD-V, though in software: QEMU emulates the processor with SVM and nested paging, a stock Debian
// kernel in it loads kvm-amd, and this project runs there on a /dev/kvm that is the kernel's own (inside.ts says what). Slow, but nothing
// about it is ours. Its last line counts; where QEMU or the packages are missing it says so and passes.

import { relative } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fetchDebianImages } from "@ringzero/boot";
import { labImage } from "./lab-image.js";
import { LAB_QEMU } from "./lab-lacks.js";
import { startLabMachine } from "./lab-machine.js";
import { findQemu, INSTALLED, losesInterrupts } from "./lab-qemu.js";
import { PART_NAMES, QUICK_PARTS } from "./parts.js";
import { parseResultLine } from "./results.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url)).replace(/\/$/, "");
const USAGE = `npm run kvm-lab -- [--quick | --only PART[,PART…]] [--minutes N] [--cpus N] [--memory MIB] [--qemu PROGRAM] [--console]
npm run kvm-lab -- --shell | --run COMMAND
Runs this project on the KVM of a stock kernel under emulated AMD-V. Parts: ${PART_NAMES.join(", ")}.
--quick runs ${QUICK_PARTS.join(", ")}, which is what npm test does. The lab is ended after 40 minutes, or N.
--console shows everything that the lab prints, not only results; --shell gives a shell in it instead of parts, and --run runs one
command line of the shell, both in this folder, with node, and with this folder's programs at the same paths.
QEMU is the installed one, or PROGRAM, or with --qemu newest the newest of it and those that \`npm run bench -- --fetch-qemu\` fetched. The lab
has 1 CPU, or N.`;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    minutes: { type: "string", default: "40" },
    // With more than one emulated processor QEMU may keep a translation of code that another one wrote over meanwhile: before 8.1 the lab's own kernel
    // stands still where it patches its scheduler; with 11.1 a guest goes on in a loop that the host replaced, which it does not with one.
    cpus: { type: "string", default: "1" },
    memory: { type: "string", default: "3072" },
    qemu: { type: "string", default: INSTALLED },
    console: { type: "boolean", default: false },
    shell: { type: "boolean", default: false },
    run: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const parts = values.only?.split(",") ?? (values.quick ? QUICK_PARTS : PART_NAMES);
const unknown = parts.filter((name) => !PART_NAMES.includes(name));
if (unknown.length > 0) {
  console.error(`there is no part ${unknown.join(", ")}\n${USAGE}`);
  process.exit(2);
}

function skip(what: string): never {
  console.log(`skipped: the KVM lab needs ${what}\n0 passed, 0 failed`);
  process.exit(0);
}

const images = await fetchDebianImages().catch((error: Error) => skip(`a Debian kernel (${error.message})`));
const found = await findQemu(values.qemu);
if (!found) skip(`${values.qemu} (Debian: apt-get install qemu-system-x86)`);
const inside = relative(ROOT, fileURLToPath(new URL("./inside.js", import.meta.url)));
const parted = `${LAB_QEMU}=${found.version} ${process.execPath} ${inside} ${parts.join(" ")}`;
const command = values.shell ? "setsid cttyhack sh -l" : (values.run ?? parted);
const image = await labImage({ images, root: ROOT, command });
if (!image) skip("packages of Debian");
if (image.missing.length > 0) console.log(`the lab is without ${image.missing.join(", ")}: this host does not have them`);

const { cpus } = values;
console.log(`QEMU ${found.version}, ${cpus} CPU${cpus === "1" ? "" : "s"}`);
const onTerminal = values.shell || values.run !== undefined;
const lab = await startLabMachine({
  image,
  qemu: found.program,
  cpus: Number(cpus),
  memoryMib: Number(values.memory),
  nudged: losesInterrupts(found.version),
  onTerminal,
  limitMs: Number(values.minutes) * 60_000,
});
const { qemu, ended } = lab;
if (onTerminal) {
  const { timedOut } = await ended;
  if (timedOut) console.log(`the lab was ended after ${values.minutes} minutes`);
  process.exit(timedOut ? 1 : 0);
}
const counts = { passed: 0, failed: 0, skipped: 0 };
let done = false;
const recent: string[] = [];
let complaint = "";
qemu.stderr!.on("data", (bytes: Buffer) => (complaint += bytes));
for await (const line of createInterface({ input: qemu.stdout! })) {
  recent.push(line);
  if (recent.length > 40) recent.shift();
  const result = parseResultLine(line);
  if (values.console && !result) console.log(`  | ${line}`);
  if (!result) continue;
  if (result.kind === "done") {
    done = true;
    continue;
  }
  counts[result.kind] += 1;
  const word = { passed: "ok  ", failed: "FAILED", skipped: "skipped" }[result.kind];
  console.log(`${word} ${result.name}${result.detail === "" ? "" : `: ${result.detail}`}`);
}
const { code, timedOut } = await ended;
if (!done) {
  counts.failed += 1;
  const why = timedOut ? `did not end within ${values.minutes} minutes` : `ended early (QEMU's exit code ${code})`;
  console.log(`FAILED the lab ${why}; its last lines:\n${recent.map((line) => `  | ${line}`).join("\n")}\n${complaint}`);
}
if (counts.skipped > 0) console.log(`${counts.skipped} skipped`);
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 ? 0 : 1;

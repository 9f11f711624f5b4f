// Boots one guest on a Ringzero backend and copies its console to stdout: what the harness measures as "ours".
// Usage: node guest-process.js '{"backend":"bt","from":…,"kernel":…,"initrd":…,"memoryMiB":512,"cpus":1}', or "firmware" for the kernel.
// Exit code 0: the guest powered itself off. On stderr it says when it got where, for the rows that take a boot apart.

import { firmware, linux } from "@ringzero/boot";
import { defineMachine, restWhenIdle } from "@ringzero/core";
import { openBackend } from "./backend-lookup.js";

interface GuestMachine {
  readonly backend: string;
  /** Folder from which the package of a third party's backend is looked for. */
  readonly from?: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly firmware?: string;
  readonly memoryMiB: number;
  readonly cpus?: number;
}

restWhenIdle(); // as the `ringzero` command does
const modulesMs = performance.now(); // since the process began
const wanted = JSON.parse(process.argv[2] ?? "null") as GuestMachine | null;
if (!wanted) throw new TypeError("usage: guest-process.js JSON");

const { name, report, sdk } = await openBackend(wanted.backend, wanted.from ?? process.cwd(), [], true); // so does the command
await using _ = sdk;
await using machine = await sdk.create(
  defineMachine({
    name: "bench",
    memory: wanted.memoryMiB * 2 ** 20,
    cpus: wanted.cpus ?? 1,
    ...(report.capabilities.cpuProfiles.includes("host") ? { cpuProfile: "host" } : {}),
    boot: wanted.firmware
      ? firmware({ image: wanted.firmware })
      : linux({ kernel: wanted.kernel!, initrd: [wanted.initrd!], append: "console=ttyS0 quiet panic=-1" }),
  }),
  { backend: name },
);
const createdMs = performance.now();
process.stderr.write(`# phases ${modulesMs.toFixed(1)} ${createdMs.toFixed(1)}\n`);
const exited = new Promise<string>((resolve) => machine.on("exit", (exit) => resolve(exit.reason)));
await machine.start();
for await (const chunk of machine.console()) process.stdout.write(chunk);
const reason = await exited;
if (reason !== "powered-off") {
  console.error(`the guest ended by ${reason}`);
  process.exitCode = 1;
}

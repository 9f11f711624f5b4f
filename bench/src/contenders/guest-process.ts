// Boots one guest on a Ringzero backend and copies its console to stdout: what the harness measures as "ours".
// Usage: node guest-process.js '{"backend":"bt","kernel":…,"initrd":…,"memoryMiB":512}'; exit code 0: the guest powered off.

import { linux } from "@ringzero/boot";
import { defineMachine } from "@ringzero/core";
import { sdkFor } from "./backend-lookup.js";

interface GuestMachine {
  readonly backend: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly memoryMiB: number;
}

const wanted = JSON.parse(process.argv[2] ?? "null") as GuestMachine | null;
if (!wanted) throw new TypeError("usage: guest-process.js JSON");

await using sdk = sdkFor(wanted.backend);
const report = (await sdk.backends()).find((one) => one.name === wanted.backend);
const profiles = report?.capabilities.cpuProfiles ?? [];
await using machine = await sdk.create(
  defineMachine({
    name: "bench",
    memory: wanted.memoryMiB * 2 ** 20,
    ...(profiles.includes("host") ? { cpuProfile: "host" } : {}),
    boot: linux({ kernel: wanted.kernel, initrd: [wanted.initrd], append: "console=ttyS0 quiet panic=-1" }),
  }),
  report ? { backend: wanted.backend } : {},
);
const exited = new Promise<string>((resolve) => machine.on("exit", (exit) => resolve(exit.reason)));
await machine.start();
for await (const chunk of machine.console()) process.stdout.write(chunk);
const reason = await exited;
if (reason !== "powered-off") {
  console.error(`the guest ended by ${reason}`);
  process.exitCode = 1;
}

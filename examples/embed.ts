// Boots a stock Linux kernel, reads its console, types into it, and stops it: what an embedder would copy. README.md shows it.
// Usage: node embed.js KERNEL INITRD. The initrd starts a shell on the console, as that of `npm start` does.

import { linux } from "@ringzero/boot";
import { defineMachine, Ringzero } from "@ringzero/core";

const [kernel = "vmlinuz", initrd = "initrd.img"] = process.argv.slice(2);
const spec = defineMachine({
  memory: "512MiB",
  boot: linux({ kernel, initrd: [initrd], append: "console=ttyS0 quiet" }),
});

await using ringzero = new Ringzero({ discover: import.meta.url }); // engines and devices among our dependencies
const report = await ringzero.validate(spec); // everything that is wrong, before anything starts
for (const { path, message } of report.problems) console.error(`${path}: ${message}`);
if (report.ok) {
  await using machine = await ringzero.create(spec);
  machine.on("exit", (exit) => console.log("ended:", exit.reason));
  await machine.start({ timeoutMs: 300_000 });

  const shell = machine.console();
  await shell.waitFor(/~ # /);
  await shell.write("uname -m\n");
  const [, answer] = await shell.waitFor(/\n(x86\w*)\r/);
  console.log("the guest is", answer);
  await machine.stop();
}

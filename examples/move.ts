// Moves a running machine from engine to engine while its guest computes, and shows that the guest does not notice: the checksum is
// right. Usage: node move.js KERNEL INITRD [MOVES]. The initrd starts a shell on the console, as that of `npm start` does.

import { createHash } from "node:crypto";
import { linux } from "@ringzero/boot";
import { defineMachine, Ringzero } from "@ringzero/core";

const [kernel = "vmlinuz", initrd = "initrd.img", moves = "20"] = process.argv.slice(2);
const spec = defineMachine({
  memory: "512MiB",
  cpus: 2,
  boot: linux({ kernel, initrd: [initrd], append: "console=ttyS0 quiet" }),
});

await using ringzero = new Ringzero({ discover: import.meta.url });
await using machine = await ringzero.create(spec);
await machine.start({ timeoutMs: 300_000 });
const shell = machine.console();
await shell.waitFor(/~ # /);

// By turns through all engines that work here; where there is one only, each time to a fresh process of it.
const engines = (await ringzero.backends()).filter(({ available, capabilities }) => available && capabilities.saveState);
const pauses: number[] = [];
machine.on("moved", ({ pausedMs }) => pauses.push(pausedMs));
await shell.write("seq 2000000 | sha256sum\n");
const answer = shell.waitFor(/\n([0-9a-f]{64}) /);
for (let i = 0; i < Number(moves); i += 1) {
  await machine.moveTo(engines[i % engines.length]!.name);
  await new Promise((later) => setTimeout(later, 10 + ((i * 7) % 20))); // not always at the same distance
}
const [, sum] = await answer;

const lines = Array.from({ length: 2_000_000 }, (_, i) => `${i + 1}\n`).join("");
const right = createHash("sha256").update(lines).digest("hex");
console.log(sum === right ? "the checksum is right" : `WRONG: ${sum} instead of ${right}`, `after ${pauses.length} moves`);
pauses.sort((a, b) => a - b);
console.error(
  `the guest stood still for ${pauses[pauses.length >> 1]?.toFixed(1)} ms each time, at most ${pauses.at(-1)?.toFixed(1)} ms`,
);
await machine.stop();

// A program of the tests that embeds three machines, prints the process ids of their engines, and waits to be killed. One is held
// stopped by SIGSTOP, so that nothing but the kernel can end it.

import { create } from "./scripted-vm.js";

const machines = await Promise.all([create("tick"), create("in 0x510 4", () => 1), create("tick")]);
for (const vm of machines) vm.run();
await new Promise((resolve) => setTimeout(resolve, 50));
process.kill(machines[2].enginePid, "SIGSTOP");
console.log(machines.map((vm) => vm.enginePid).join(" "));
setInterval(() => undefined, 1000);

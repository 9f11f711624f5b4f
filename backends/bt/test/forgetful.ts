// A program of the tests that makes a machine (paused or running, by its argument), forgets it, collects garbage for a while and says
// whether the engine's process is still there.

import { create, exists } from "./scripted-vm.js";

async function makeAndForget(): Promise<number> {
  const vm = await create("tick");
  vm.memory.view(0, 10);
  vm.run();
  if (process.argv[2] === "paused") await vm.pause();
  return vm.enginePid;
}

const pid = await makeAndForget();
for (let i = 0; i < 20 && exists(pid); ++i) {
  globalThis.gc?.();
  await new Promise((resolve) => setTimeout(resolve, 25));
}
console.log(exists(pid) ? "kept" : "collected");
process.exit(0);

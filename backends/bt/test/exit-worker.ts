// Worker of the tests: hosts a machine, tells its engine's process id once a thousand exits were served.

import { parentPort, workerData } from "node:worker_threads";
import type { VmConfig } from "@ringzero/api";
import { BtVm } from "@ringzero/backend-bt";

let served = 0;
const vm = await BtVm.create(workerData as VmConfig, () => {
  if (++served === 1000) parentPort?.postMessage(vm.enginePid);
  return served;
});
vm.run();

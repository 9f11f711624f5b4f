// A worker that runs a spinning machine until it is terminated.

import { parentPort } from "node:worker_threads";
import { romMachine } from "./tiny-guest.js";

const vm = await romMachine([0xeb, 0xfe], () => undefined);
vm.run();
parentPort?.postMessage("running");
setInterval(() => vm.memory.sizeBytes, 1000);

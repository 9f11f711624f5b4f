// Where the command's plugins are put together: the one place outside tests and examples that names concrete ones.

import backendBt from "@ringzero/backend-bt";
import backendKvm from "@ringzero/backend-kvm";
import boot from "@ringzero/boot";
import { Ringzero } from "@ringzero/core";
import devices from "@ringzero/devices";

/** The SDK with everything that this version comes with, and the plugins of the package in whose folder the command is run. */
export function createRingzero(): Ringzero {
  return new Ringzero({ plugins: [backendBt, backendKvm, boot, devices], discover: process.cwd() });
}

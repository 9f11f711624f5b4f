// One machine on the binary translator: its engine is a process of its own, so that whatever happens there cannot hurt this one.

import type { ExitHandler, VmConfig, VmInspection } from "@ringzero/api";
import { Command, EngineVm, hostCall, type NativeVm } from "@ringzero/native";
import { enginePath, nativeAddon } from "./native-parts.js";
import { toBtOptions } from "./vm-config.js";

export class BtVm extends EngineVm {
  readonly inspection: VmInspection = {
    counters: () => this.readCounters(),
    listing: async (rip) => {
      const address = new Uint8Array(8);
      new DataView(address.buffer).setBigUint64(0, BigInt.asUintN(64, rip), true);
      return Buffer.from(await this.commands.post("list code", Command.listing, 0, address)).toString("utf8");
    },
  };

  /**
   * Make the memory, start the engine and wait until it serves commands.
   * @throws what toBtOptions throws, and RingzeroError `VM_HOST_FAILURE`
   */
  static async create(config: VmConfig, handler: ExitHandler): Promise<BtVm> {
    const options = toBtOptions(config, hostCall(`start the engine of ${config.name}`, enginePath));
    return EngineVm.ready(new BtVm(config, handler, options, nativeAddon));
  }

  /** Process id of the engine, for tools that look at it from outside. */
  get enginePid(): number {
    return this.native.pid;
  }

  /** Have the engine crash itself, with the option `testCommands`: for tests of what happens then. */
  async crashForTest(): Promise<void> {
    await this.commands.post("crash the engine", Command.testCrash);
  }

  /** The addon's object, for tests that play a hostile engine. */
  get nativeForTest(): NativeVm {
    return this.native;
  }
}

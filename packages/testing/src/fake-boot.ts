// A boot plugin that reads no kernel: the file's own bytes go to one address. It serves every kind of boot source.

import { type BootSource, definePlugin } from "@ringzero/api";
import { readFile } from "node:fs/promises";
import { fakeRegisters } from "./fake-vcpu.js";

/** Where the file goes. */
export const FAKE_KERNEL_AT = 0x100000;

const fileOf = (boot: BootSource) => (boot.kind === "firmware" ? boot.image : boot.kernel);

export const fakeBootPlugin = definePlugin({
  name: "fake-boot",
  kind: "boot",
  api: { min: 1, max: 1 },
  summary: "Loads the kernel file as it is, for tests",
  module: new URL("./plugins.js", import.meta.url).href,
  sources: ["linux", "elf", "multiboot", "firmware"],
  async load(source) {
    const bytes = new Uint8Array(await readFile(fileOf(source)));
    return {
      ranges: bytes.length > 0 ? [{ at: FAKE_KERNEL_AT, bytes, what: "kernel" }] : [],
      rom: [],
      registers: fakeRegisters({ rip: BigInt(FAKE_KERNEL_AT) }),
    };
  },
});

// Real firmware from the reset vector: Debian's SeaBIOS goes through real, unreal and 32-bit protected mode, finds the
// RAM, the processors and the clock, and ends by saying that there is nothing to boot from.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { firmware } from "@ringzero/boot";
import { defineMachine, Ringzero } from "@ringzero/core";
import { debianPackages } from "../guest-images/debian-packages.js";

const IMAGE = "/usr/share/seabios/bios-256k.bin";
const DEBUG_PORT = 0x402; // where SeaBIOS built for QEMU writes its log

/** Where the image is: installed, or fetched by the package client. Null, and a line that says why, where it cannot be had. */
async function seabios(): Promise<string | null> {
  if (existsSync(IMAGE)) return IMAGE;
  const folder = await debianPackages({ packages: ["seabios"] });
  return folder === null ? null : join(folder, IMAGE);
}

describe("SeaBIOS", function () {
  this.timeout(180_000);

  for (const backend of ["bt", "kvm"] as const) {
    it(`on ${backend} finds the machine's memory and its processor, and gives up for want of a disk`, async function () {
      const image = await seabios();
      if (image === null) return this.skip();
      await using sdk = new Ringzero({ discover: import.meta.url });
      const report = (await sdk.backends()).find((one) => one.name === backend);
      if (!report?.available) {
        console.log(`      skipped: the backend ${backend} does not work here: ${report?.reason ?? "it is not installed"}`);
        return this.skip();
      }
      const folder = await mkdtemp(join(tmpdir(), "ringzero-seabios-"));
      const path = join(folder, "bios.log");
      const spec = defineMachine({
        name: "seabios",
        memory: "256MiB",
        boot: firmware({ image }),
        devices: [{ plugin: "log-port", options: { port: DEBUG_PORT, path } }],
      });
      try {
        await using machine = await sdk.create(spec, { backend });
        await machine.start();
        let log = "";
        const limit = Date.now() + 150_000; // a KVM may run ring 0 at a microsecond an instruction
        while (Date.now() < limit && machine.state === "running" && !log.includes("No bootable device")) {
          await delay(100);
          log = await readFile(path, "latin1").catch(() => "");
        }
        assert.match(log, /RamSize: 0x10000000 \[cmos\]/);
        assert.match(log, /Found 1 cpu\(s\)/);
        assert.match(log, /PS2 keyboard initialized/);
        assert.match(log, /No bootable device/);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  }
});

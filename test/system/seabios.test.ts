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

const IMAGE = "/usr/share/seabios/bios-256k.bin";
const DEBUG_PORT = 0x402; // where SeaBIOS built for QEMU writes its log

describe("SeaBIOS on the binary translator", function () {
  this.timeout(60_000);

  it("finds the machine's memory and its processor, and gives up for want of a disk", async function () {
    if (!existsSync(IMAGE)) {
      console.log(`      skipped: ${IMAGE} (Debian package seabios)`);
      return this.skip();
    }
    const folder = await mkdtemp(join(tmpdir(), "ringzero-seabios-"));
    const path = join(folder, "bios.log");
    await using sdk = new Ringzero({ discover: import.meta.url });
    const spec = defineMachine({
      name: "seabios",
      memory: "256MiB",
      boot: firmware({ image: IMAGE }),
      devices: [{ plugin: "log-port", options: { port: DEBUG_PORT, path } }],
    });
    try {
      await using machine = await sdk.create(spec, { backend: "bt" });
      await machine.start();
      let log = "";
      for (let tries = 0; tries < 300 && !log.includes("No bootable device"); tries++) {
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
});

// A stock kernel whose every translated block is checked before it runs (engine option verify): real code of kernel and
// userland, in quantity, is accepted by the emitted-code verifier, and the machine does its work meanwhile.

import assert from "node:assert/strict";
import { guestImages, LinuxGuest } from "./linux-guest.js";

describe("a stock Debian kernel with the emitted-code verifier on", function () {
  this.timeout(240_000);

  it("boots, computes and powers off, with every emitted block accepted", async function () {
    const images = await guestImages();
    if (!images) {
      console.log("      skipped: Debian's kernel and BusyBox are neither cached nor to be fetched");
      this.skip();
    }
    const guest = await LinuxGuest.boot(images, { engine: { verify: true } });
    try {
      assert.match(
        await guest.shell("echo abc | sha256sum"),
        /^edeaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb/,
      );
      await guest.machine.console().write("poweroff -f\n");
      assert.equal((await guest.machine.exited).reason, "powered-off");
    } finally {
      await guest.dispose();
    }
  });
});

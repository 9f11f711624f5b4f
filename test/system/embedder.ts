// A program that embeds a guest, for tests that kill it: boots, lets the guest spin, says "spinning" and stays. Usage: node embedder.js

import { guestImages, LinuxGuest } from "./linux-guest.js";

const images = await guestImages();
if (!images) throw new Error("no guest images");
const guest = await LinuxGuest.boot(images);
await guest.machine.console().write("while :; do :; done\n");
console.log("spinning");
setInterval(() => {}, 1000);

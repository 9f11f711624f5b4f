// What stands at FFFF0h when no firmware is loaded: 16 bytes of real-mode code that reset the machine. Old kernels reboot by a jump
// to FFFF:0000, which on a PC is the firmware's entry, and Linux does so as a last resort (reboot=bios).

import { PC_PORTS } from "@ringzero/api";

export const RESET_STUB_AT = 0xffff0;

/** mov dx, CF9h; mov al, 06h; out dx, al; then halt for good. */
export function resetStub(): Uint8Array {
  const port = PC_PORTS.resetControl;
  return Uint8Array.from([0xba, port & 0xff, port >> 8, 0xb0, 0x06, 0xee, 0xf4, 0xeb, 0xfd]);
}

// A firmware image of one page whose only program reads a port for ever: the smallest machine that makes exits.

import { PROBE_PORT } from "./port-probe.js";

const ROM_BYTES = 4096;
const PROGRAM_AT = 0xe00; // below the reset vector, 16 bytes before the end

/** @returns a raw flash image for boot kind "firmware" */
export function probeFirmware(): Uint8Array {
  const rom = new Uint8Array(ROM_BYTES).fill(0xf4); // HLT
  const program = [0xba, PROBE_PORT & 0xff, PROBE_PORT >> 8, 0xec, 0xeb, 0xfd]; // mov dx, port; again: in al, dx; jmp again
  rom.set(program, PROGRAM_AT);
  const jump = PROGRAM_AT - (ROM_BYTES - 16) - 3; // near jump from the reset vector, 3 bytes long
  rom.set([0xe9, jump & 0xff, (jump >> 8) & 0xff], ROM_BYTES - 16);
  return rom;
}

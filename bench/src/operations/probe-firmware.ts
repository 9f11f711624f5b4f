// Firmware images of one page, each with one small program: the smallest machines that make exits or console output.

import { PROBE_PORT } from "./port-probe.js";

const ROM_BYTES = 4096;
const PROGRAM_AT = 0xe00; // below the reset vector, 16 bytes before the end

/** Reads the probe's port for ever. @returns a raw flash image for boot kind "firmware" */
export function probeFirmware(): Uint8Array {
  return firmware([0xba, PROBE_PORT & 0xff, PROBE_PORT >> 8, 0xec, 0xeb, 0xfd]); // mov dx, port; again: in al, dx; jmp again
}

/** Writes so many bytes to COM1, waiting for its transmitter before each as a driver does, and powers off through ACPI. */
export function consoleFirmware(bytes: number): Uint8Array {
  const count = [bytes & 0xff, (bytes >> 8) & 0xff, (bytes >> 16) & 0xff, bytes >>> 24];
  return firmware([
    ...[0x66, 0xb9, ...count], // mov ecx, bytes
    ...[0xba, 0xfd, 0x03], // next: mov dx, LSR
    ...[0xec, 0xa8, 0x20, 0x74, 0xfb], // wait: in al, dx; test al, THRE; jz wait
    ...[0xba, 0xf8, 0x03, 0xb0, 0x78, 0xee], // mov dx, THR; mov al, 'x'; out dx, al
    ...[0x67, 0xe2, 0xef], // loop next, counting in ECX
    ...[0xba, 0x04, 0x06, 0xb8, 0x00, 0x34, 0xef], // mov dx, PM1 control; mov ax, S5 and SLP_EN; out dx, ax
    ...[0xf4, 0xeb, 0xfd], // hlt
  ]);
}

function firmware(program: readonly number[]): Uint8Array {
  const rom = new Uint8Array(ROM_BYTES).fill(0xf4); // HLT
  rom.set(program, PROGRAM_AT);
  const jump = PROGRAM_AT - (ROM_BYTES - 16) - 3; // near jump from the reset vector, 3 bytes long
  rom.set([0xe9, jump & 0xff, (jump >> 8) & 0xff], ROM_BYTES - 16);
  return rom;
}

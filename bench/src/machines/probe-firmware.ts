// Firmware images, each with one small program: the smallest machines that make exits or console output.

import { PROBE_PORT } from "../operations/port-probe.js";

const ROM_BYTES = 4096;
/** QEMU takes no smaller one. */
const LARGE_ROM_BYTES = 65536;
const PROGRAM_BEFORE_END = 0x200; // below the reset vector, 16 bytes before the end

/** Reads the probe's port for ever. @returns a raw flash image for boot kind "firmware" */
export function probeFirmware(): Uint8Array {
  return firmware([0xba, PROBE_PORT & 0xff, PROBE_PORT >> 8, 0xec, 0xeb, 0xfd]); // mov dx, port; again: in al, dx; jmp again
}

/** Writes so many bytes to COM1, waiting for its transmitter before each as a driver does, and powers off through ACPI. */
export function consoleFirmware(bytes: number, sizeBytes = ROM_BYTES): Uint8Array {
  const count = [bytes & 0xff, (bytes >> 8) & 0xff, (bytes >> 16) & 0xff, bytes >>> 24];
  return firmware(
    [
      ...[0x66, 0xb9, ...count], // mov ecx, bytes
      ...[0xba, 0xfd, 0x03], // next: mov dx, LSR
      ...[0xec, 0xa8, 0x20, 0x74, 0xfb], // wait: in al, dx; test al, THRE; jz wait
      ...[0xba, 0xf8, 0x03, 0xb0, 0x78, 0xee], // mov dx, THR; mov al, 'x'; out dx, al
      ...[0x67, 0xe2, 0xef], // loop next, counting in ECX
      ...[0xba, 0x04, 0x06, 0xb8, 0x00, 0x34, 0xef], // mov dx, PM1 control; mov ax, S5 and SLP_EN; out dx, ax
      ...[0xf4, 0xeb, 0xfd], // hlt
    ],
    sizeBytes,
  );
}

/** Writes an x to COM1 and powers off: what it takes to see that a machine runs. Large enough for every contender. */
export const helloFirmware = (): Uint8Array => consoleFirmware(1, LARGE_ROM_BYTES);

function firmware(program: readonly number[], sizeBytes = ROM_BYTES): Uint8Array {
  const rom = new Uint8Array(sizeBytes).fill(0xf4); // HLT
  rom.set(program, sizeBytes - PROGRAM_BEFORE_END);
  const jump = 16 - PROGRAM_BEFORE_END - 3; // near jump from the reset vector, 3 bytes long
  rom.set([0xe9, jump & 0xff, (jump >> 8) & 0xff], sizeBytes - 16);
  return rom;
}

// A firmware image as a PC's flash: read-only, ending at 4 GiB, its top 256 KiB copied to below 1 MiB, entered at the reset vector.
// A chipset maps 128 KiB there and lets the firmware copy the rest by switching C0000h..DFFFFh to RAM; PC platform v1 has
// no chipset, so the whole of a 256 KiB image is in place from the start. The copy below 1 MiB is plain RAM, because the chipset that would protect it is not part of PC platform v1.

import type { BootImage, MachineShape } from "@ringzero/api";
import { PC_ADDRESSES } from "@ringzero/api";
import { type BootFile, bootFileError, readBootFile } from "./boot-file.js";
import { resetEntry } from "./entry-state.js";
import { MemoryPlan } from "./memory-map.js";

const MAX_ROM_BYTES = 0x1000000; // 16 MiB: above the local APIC, whose page is 18 MiB below 4 GiB
const SHADOW_BYTES = 0x40000;
const PAGE_BYTES = 4096;

/** @throws RingzeroError `BOOT_FILE_*` */
export async function loadFirmware(source: { readonly image: string }, shape: MachineShape): Promise<BootImage> {
  return firmwareImage(await readBootFile(source.image, "boot.image"), shape);
}

/** The same from bytes at hand. */
export function firmwareImage(file: BootFile, shape: MachineShape): BootImage {
  const sizeBytes = file.bytes.length;
  if (sizeBytes % PAGE_BYTES !== 0 || sizeBytes > MAX_ROM_BYTES) {
    throw bootFileError(
      "BOOT_FILE_INVALID",
      file,
      `has ${sizeBytes} bytes, and a firmware image has a multiple of 4096 up to 16 MiB`,
      "pass a raw flash image, padded at its start so that the reset vector is 16 bytes before its end",
    );
  }
  const romAt = PC_ADDRESSES.fourGiB - sizeBytes;
  const shadow = file.bytes.subarray(Math.max(0, sizeBytes - SHADOW_BYTES));
  const plan = new MemoryPlan(shape);
  plan.place("the firmware's copy below 1 MiB", PC_ADDRESSES.highMemory - shadow.length, shadow);
  return {
    ranges: [...plan.ranges, { at: romAt, bytes: file.bytes, what: `the firmware ${file.path}` }],
    rom: [{ at: romAt, sizeBytes, readOnly: true }],
    registers: resetEntry(),
  };
}

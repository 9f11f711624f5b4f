// The words of the BIOS data area by which kernels find their way where a BIOS has run before them: Xen places its
// low-memory trampoline below the extended BIOS data area, wherever these say that is. Source: "System BIOS for IBM PCs,
// Compatibles, and EISA Computers", the BIOS data area.

import type { MachineShape } from "@ringzero/api";
import { EBDA } from "./memory-map.js";

export const BIOS_DATA_AREA_AT = 0x400;

const COM_PORTS = 0x00; // four words, zero where there is none
const EBDA_SEGMENT = 0x0e;
const CONVENTIONAL_KIB = 0x13; // below the extended BIOS data area
const SIZE_BYTES = 0x100;

export function biosDataArea(shape: MachineShape): Uint8Array {
  const view = new DataView(new ArrayBuffer(SIZE_BYTES));
  for (const [i, { port }] of (shape.uarts ?? []).slice(0, 4).entries()) view.setUint16(COM_PORTS + 2 * i, port, true);
  view.setUint16(EBDA_SEGMENT, EBDA >> 4, true);
  view.setUint16(CONVENTIONAL_KIB, EBDA >> 10, true);
  return new Uint8Array(view.buffer);
}

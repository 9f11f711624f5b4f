// Debug settings as the engine takes them: DebugImage in src/shared/debug_image.h.

import type { DebugSettings } from "@ringzero/api";

const MAX_BREAKPOINTS = 4;

/** @throws RangeError for more breakpoints than a vCPU has */
export function encodeDebugSettings({ singleStep = false, breakpoints = [] }: DebugSettings): Uint8Array {
  if (breakpoints.length > MAX_BREAKPOINTS) {
    throw new RangeError(`a vCPU has at most ${MAX_BREAKPOINTS} breakpoints, not ${breakpoints.length}`);
  }
  const bytes = new Uint8Array(8 + 8 * MAX_BREAKPOINTS);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, singleStep ? 1 : 0, true);
  view.setUint32(4, breakpoints.length, true);
  for (const [i, at] of breakpoints.entries()) view.setBigUint64(8 + 8 * i, BigInt.asUintN(64, at), true);
  return bytes;
}

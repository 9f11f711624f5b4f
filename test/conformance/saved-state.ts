// Finds a part of a saved state by its tag, for tests that spoil one: docs/state-format.md, "The whole".

const HEADER_BYTES = 40;
const PART_HEADER_BYTES = 16;

/** The payload of the first part with a tag, in place. @throws Error when there is none */
export function partOf(state: Uint8Array, tag: string): Uint8Array {
  const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
  let at = HEADER_BYTES;
  while (at + PART_HEADER_BYTES <= state.length) {
    const found = Buffer.from(state.subarray(at, at + 4)).toString("latin1");
    const sizeBytes = view.getUint32(at + 12, true);
    if (found === tag) return state.subarray(at + PART_HEADER_BYTES, at + PART_HEADER_BYTES + sizeBytes);
    at += PART_HEADER_BYTES + Math.ceil(sizeBytes / 8) * 8;
  }
  throw new Error(`the state has no part ${tag}`);
}

// The parts of a saved state, for cases that look into one or change it: docs/state-format.md, "The whole".

const HEADER_BYTES = 40;
const PART_HEADER_BYTES = 16;

/**
 * Payloads by tag and instance, such as `MSRS1`; views, so that what is written to them is in the state.
 * @throws Error when the parts are not all that is in the state
 */
export function statePartsOf(state: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
  const parts = new Map<string, Uint8Array>();
  let at = HEADER_BYTES;
  for (let i = 0; i < view.getUint32(12, true); i++) {
    const tag = new TextDecoder().decode(state.subarray(at, at + 4));
    const bytes = view.getUint32(at + 12, true);
    const from = at + PART_HEADER_BYTES;
    parts.set(`${tag}${view.getUint32(at + 8, true)}`, state.subarray(from, from + bytes));
    at = from + ((bytes + 7) & ~7);
  }
  if (at !== state.length) throw new Error(`the parts of the state end at ${at} of ${state.length} bytes`);
  return parts;
}

/** The value of an MSR of one vCPU, at its place in the state. @throws Error when the state does not have it */
export function stateMsr(state: Uint8Array, vcpu: number, index: number): { get(): bigint; set(value: bigint): void } {
  const part = statePartsOf(state).get(`MSRS${vcpu}`);
  if (part === undefined) throw new Error(`the state has no MSRs of vCPU ${vcpu}`);
  const view = new DataView(part.buffer, part.byteOffset, part.byteLength);
  for (let at = 0; at < part.length; at += 16) {
    if (view.getUint32(at, true) !== index) continue;
    return { get: () => view.getBigUint64(at + 8, true), set: (value) => view.setBigUint64(at + 8, value, true) };
  }
  throw new Error(`the state of vCPU ${vcpu} has no MSR ${index.toString(16)}h`);
}

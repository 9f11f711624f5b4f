// What a NIC plugin provides: one end of an Ethernet cable. The other end is the guest's NIC model.
// What must stay true: frames are whole Ethernet frames without FCS, and neither side ever queues without bound.

/** Offloads that a link understands in frames it is sent; a NIC model offers a guest no more than this. */
export interface NetworkCapabilities {
  /** Largest frame payload, 1500 for plain Ethernet. */
  readonly mtuBytes: number;
  /** Frames may come with an unfinished checksum, and the link completes it. */
  readonly checksumOffload: boolean;
  /** TCP segments larger than the MTU may be sent. */
  readonly segmentationOffload: boolean;
}

/**
 * An open link. Listeners are called once the call that caused it has returned or later, never after `close`. Each kind has one
 * listener: a later one takes its place.
 */
export interface NetworkLink {
  readonly capabilities: NetworkCapabilities;
  /** Whether there is a carrier. */
  readonly up: boolean;
  /**
   * Frames of the guest, to the network. Ownership of the bytes stays with the caller, who may reuse them when the call returns.
   * @param frames  each 14 .. mtuBytes + 18 bytes, larger with segmentation offload
   * @returns how many were taken, in order; fewer than given means "full": the caller keeps the rest and waits for `onWritable`
   * @throws RangeError when a frame is too short or too long (`checkFrames` does it); none is taken then
   * @throws RingzeroError `VM_NOT_OPEN` after `close`
   */
  send(frames: readonly Uint8Array[]): number;
  /** Called when frames can be taken again after `send` took fewer than it was given. */
  onWritable(listener: () => void): void;
  /**
   * Where frames for the guest go.
   * @param receive  returns how many it took, in order; fewer than given means the guest has no buffers: the link keeps or drops
   *                 the rest, and is told by `resume` when to offer more
   */
  onFrames(receive: (frames: readonly Uint8Array[]) => number): void;
  /** The guest has room for frames again. */
  resume(): void;
  /** Called when the carrier comes or goes. */
  onLinkChange(listener: (up: boolean) => void): void;
  /** Drops what is queued and lets go of everything; idempotent. */
  close(): Promise<void>;
}

/** Bytes of an Ethernet header: two addresses and a type. */
export const ETHERNET_HEADER_BYTES = 14;
const VLAN_TAG_BYTES = 4;
/** What one frame of segmentation offload may hold: 64 KiB of IP, its header and a tag. */
const MAX_OFFLOADED_BYTES = 65_535 + ETHERNET_HEADER_BYTES + VLAN_TAG_BYTES;

/** @returns bytes of the longest frame that a link takes */
export function longestFrameBytes({ mtuBytes, segmentationOffload }: NetworkCapabilities): number {
  return segmentationOffload ? MAX_OFFLOADED_BYTES : mtuBytes + ETHERNET_HEADER_BYTES + VLAN_TAG_BYTES;
}

/** The first line of a link's `send`. @throws RangeError when a frame is shorter than its header or longer than the link takes */
export function checkFrames(capabilities: NetworkCapabilities, frames: readonly Uint8Array[]): void {
  const most = longestFrameBytes(capabilities);
  for (const { length } of frames) {
    if (length < ETHERNET_HEADER_BYTES || length > most)
      throw new RangeError(`a frame of ${length} bytes: the link takes ${ETHERNET_HEADER_BYTES} to ${most}`);
  }
}

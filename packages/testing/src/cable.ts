// An Ethernet cable in memory: two ends, each a network link, what one sends the other gets. For tests of NIC models, and the model of the
// suite for NICs. What must stay true: neither direction holds more than its queue.

import { checkFrames, type NetworkCapabilities, type NetworkLink, RingzeroError } from "@ringzero/api";

export interface CableOptions {
  /** Default: plain Ethernet, 1500 bytes and no offloads. */
  readonly capabilities?: Partial<NetworkCapabilities>;
  /** Frames that wait in each direction at most. Default: 64. */
  readonly queueFrames?: number;
}

const PLAIN: NetworkCapabilities = { mtuBytes: 1500, checksumOffload: false, segmentationOffload: false };

/** @returns both ends */
export function cable(options: CableOptions = {}): readonly [CableEnd, CableEnd] {
  const ends = [new CableEnd(options), new CableEnd(options)] as const;
  ends[0].plugInto(ends[1]);
  ends[1].plugInto(ends[0]);
  return ends;
}

export class CableEnd implements NetworkLink {
  readonly capabilities: NetworkCapabilities;
  readonly #queueFrames: number;
  /** Frames on their way to this end. */
  readonly #queue: Uint8Array[] = [];
  #far: CableEnd | null = null;
  #up = true;
  #open = true;
  /** The receiver took fewer than it was offered, and has not said `resume`. */
  #stalled = false;
  #due = false;
  /** `send` took fewer than it was given, and `onWritable` has not been called since. */
  #wantsRoom = false;
  #receive: ((frames: readonly Uint8Array[]) => number) | null = null;
  #writable: () => void = () => undefined;
  #linkChange: (up: boolean) => void = () => undefined;

  constructor({ capabilities = {}, queueFrames = 64 }: CableOptions) {
    this.capabilities = { ...PLAIN, ...capabilities };
    this.#queueFrames = queueFrames;
  }

  get up(): boolean {
    return this.#up && this.#open;
  }

  send(frames: readonly Uint8Array[]): number {
    if (!this.#open) throw new RingzeroError("VM_NOT_OPEN", "the end of the cable is unplugged");
    checkFrames(this.capabilities, frames);
    const far = this.#far;
    if (!this.up || !far?.up) return frames.length; // nobody hears them
    const taken = far.#accept(frames);
    if (taken < frames.length) this.#wantsRoom = true;
    return taken;
  }

  onWritable(listener: () => void): void {
    this.#writable = listener;
  }

  onFrames(receive: (frames: readonly Uint8Array[]) => number): void {
    this.#receive = receive;
    this.#deliverSoon();
  }

  resume(): void {
    this.#stalled = false;
    this.#deliverSoon();
  }

  onLinkChange(listener: (up: boolean) => void): void {
    this.#linkChange = listener;
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#queue.length = 0;
    this.#far?.setCarrier(false);
  }

  /** Pull the plug at this end, or put it in. */
  setCarrier(up: boolean): void {
    if (this.#up === up) return;
    this.#up = up;
    setImmediate(() => this.#open && this.#linkChange(up));
  }

  /** Called once for each end, by `cable`. */
  plugInto(far: CableEnd): void {
    this.#far = far;
  }

  #accept(frames: readonly Uint8Array[]): number {
    const taken = Math.min(frames.length, this.#queueFrames - this.#queue.length);
    for (const frame of frames.slice(0, taken)) this.#queue.push(Uint8Array.from(frame)); // the sender may reuse its bytes
    this.#deliverSoon();
    return taken;
  }

  #deliverSoon(): void {
    if (this.#due) return;
    this.#due = true;
    setImmediate(() => {
      this.#due = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    if (!this.#open || this.#stalled || !this.#receive || this.#queue.length === 0) return;
    const offered = this.#queue.length;
    this.#stalled = true; // until it is known how many were taken; the receiver may say `resume` from inside
    const taken = this.#receive([...this.#queue]);
    if (taken >= offered) this.#stalled = false;
    this.#queue.splice(0, taken);
    if (!this.#stalled && this.#queue.length > 0) this.#deliverSoon();
    const far = this.#far;
    if (far && taken > 0) far.#roomAgain();
  }

  #roomAgain(): void {
    if (!this.#wantsRoom) return;
    this.#wantsRoom = false;
    setImmediate(() => this.#open && this.#writable());
  }
}

// Where one case of the NIC suite plays: the link under test, the far end of its cable, and frames that tell their order.

import assert from "node:assert/strict";
import { longestFrameBytes, type NetworkLink } from "@ringzero/api";
import { PATIENCE_MS, waitUntil } from "../waiting.js";

export type MakeLink = () => NetworkLink | Promise<NetworkLink>;

export interface NicSuiteOptions {
  /**
   * The other side of the network: what the link sends comes out there, and what is sent there comes to the link. For a cable in memory
   * its other end, for others an adapter. Without it, cases that look at frames are skipped.
   */
  readonly far?: (link: NetworkLink) => NetworkLink | Promise<NetworkLink>;
  /** Make the carrier come and go from outside. */
  readonly carrier?: (link: NetworkLink, up: boolean) => void | Promise<void>;
  /** The network may lose frames that the link took; order and content are still checked. Default: false. */
  readonly mayDrop?: boolean;
  /** How long one thing may take. Default: a minute. */
  readonly patienceMs?: number;
}

export class NicStage {
  readonly #open: NetworkLink[] = [];

  constructor(
    readonly make: MakeLink,
    readonly options: NicSuiteOptions,
  ) {}

  async open(): Promise<NetworkLink> {
    const link = await this.make();
    this.#open.push(link);
    return link;
  }

  /** A link and its far end. Cases that call this have `needsFar`. */
  async pair(): Promise<readonly [NetworkLink, NetworkLink]> {
    const link = await this.open();
    const far = await this.options.far!(link);
    this.#open.push(far);
    return [link, far];
  }

  /** @throws Error when `check` is not true in time */
  async until(check: () => boolean, what: string): Promise<void> {
    await waitUntil(check, () => what, this.options.patienceMs ?? PATIENCE_MS);
  }

  /** Send all frames, waiting for room as often as need be. */
  async sendAll(link: NetworkLink, frames: readonly Uint8Array[]): Promise<void> {
    let room = true;
    link.onWritable(() => {
      room = true;
    });
    for (let done = 0; done < frames.length; ) {
      room = false;
      const rest = frames.slice(done, done + 16);
      const taken = link.send(rest);
      assert.ok(Number.isInteger(taken) && taken >= 0 && taken <= rest.length, `send of ${rest.length} frames took ${taken}`);
      done += taken;
      if (taken < rest.length) await this.until(() => room, "there was room again, as onWritable says");
    }
  }

  /** Frames that arrived are those that were sent: unchanged, in order, none twice; and all of them, unless the network may drop. */
  assertArrived(arrived: readonly Uint8Array[], sent: readonly Uint8Array[]): void {
    const numbers = arrived.map(numberOf);
    for (const [i, number] of numbers.entries()) {
      assert.ok(i === 0 || number > numbers[i - 1]!, `frame ${number} came after frame ${numbers[i - 1]}`);
      const wanted = sent[number];
      assert.ok(wanted && Buffer.compare(arrived[i]!, wanted) === 0, `frame ${number} is not what was sent`);
    }
    if (!this.options.mayDrop) assert.equal(arrived.length, sent.length, "frames that arrived");
  }

  async close(): Promise<void> {
    for (const link of this.#open) await link.close();
  }
}

/** Copies of all frames that come to a link. @param takes  how many of the next it takes; default: all */
export function collect(link: NetworkLink, takes = (offered: number): number => offered): Uint8Array[] {
  const frames: Uint8Array[] = [];
  link.onFrames((offered) => {
    const taken = Math.min(offered.length, takes(offered.length));
    frames.push(...offered.slice(0, taken).map((frame) => Uint8Array.from(frame)));
    return taken;
  });
  return frames;
}

const HEADER = [0x52, 0x5a, 0, 0, 0, 1, 0x52, 0x5a, 0, 0, 0, 2, 0x88, 0xb5]; // an EtherType for local experiments
const NUMBER_AT = HEADER.length;

/** Frames of the lengths that a link takes, each with its number and bytes of its own. */
export function numbered(link: NetworkLink, count: number): Uint8Array[] {
  const most = Math.min(longestFrameBytes(link.capabilities), 4096);
  return Array.from({ length: count }, (_, number) => {
    const frame = new Uint8Array(Math.min(most, 60 + ((number * 397) % (most - 59))));
    frame.set(HEADER);
    for (let i = NUMBER_AT + 4; i < frame.length; i += 1) frame[i] = (i * 31 + number * 7) & 0xff;
    new DataView(frame.buffer).setUint32(NUMBER_AT, number);
    return frame;
  });
}

function numberOf(frame: Uint8Array): number {
  return new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getUint32(NUMBER_AT);
}

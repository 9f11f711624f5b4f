// Neither side queues without bound: who is full says so, keeps its order, and goes on when there is room.

import assert from "node:assert/strict";
import { skipped } from "../../case.js";
import type { NicCase } from "../nic-case.js";
import { collect, numbered } from "../nic-stage.js";

/** No queue of a link is longer. */
const BOUND = 65_536;
const BATCH = 64;

export const LIMIT_CASES: readonly NicCase[] = [
  {
    id: "nic/guest-full",
    title: "offers again, in order and none twice, what the guest had no buffers for, once it says `resume`",
    needsFar: true,
    async run(stage) {
      const [link, far] = await stage.pair();
      let takes = 0;
      const arrived = collect(link, () => takes);
      const frames = numbered(link, 24);
      await stage.sendAll(far, frames.slice(0, 1));
      await new Promise((later) => setTimeout(later, 10));
      assert.deepEqual(arrived, []);
      takes = 1; // one of each offer
      const sending = stage.sendAll(far, frames.slice(1));
      await stage.until(() => {
        link.resume();
        return arrived.length >= frames.length;
      }, "all frames came, one at a time");
      await sending;
      stage.assertArrived(arrived, frames);
    },
  },
  {
    id: "nic/guest-never",
    title: "queues a bounded number of frames for a guest that takes none",
    needsFar: true,
    async run(stage) {
      if (stage.options.mayDrop) return skipped("the network may drop, so that its other side is never full");
      const [link, far] = await stage.pair();
      collect(link, () => 0);
      const batch = numbered(link, BATCH);
      let total = 0;
      for (let full = 0; full < 3; ) {
        assert.ok(total <= BOUND, `${total} frames were queued for a guest that takes none`);
        const taken = far.send(batch);
        total += taken;
        full = taken === 0 ? full + 1 : 0;
        await new Promise((later) => setImmediate(later)); // to it, if it has room
      }
      return undefined;
    },
  },
  {
    id: "nic/network-full",
    title: "takes a bounded number of frames while the network takes none, and says when there is room again",
    needsFar: true,
    async run(stage) {
      if (stage.options.mayDrop) return skipped("the network may drop, so that it is never full");
      const [link, far] = await stage.pair();
      let takes = 0;
      const arrived = collect(far, (offered) => Math.min(offered, takes));
      let writable = 0;
      link.onWritable(() => (writable += 1));
      const frames = numbered(link, BATCH);
      let sent = 0;
      for (let taken = 1; taken === 1; ) {
        assert.ok(sent <= BOUND, `${sent} frames were taken while the network took none`);
        taken = link.send([frames[sent % BATCH]!]);
        sent += taken;
        if (sent % 1024 === 0) await new Promise((later) => setImmediate(later));
      }
      assert.equal(link.send([frames[0]!]), 0, "it is still full");
      assert.equal(writable, 0, "there was no room yet");
      takes = Number.POSITIVE_INFINITY;
      far.resume();
      await stage.until(() => writable > 0 && arrived.length >= sent, "there was room again, and all had arrived");
      assert.equal(arrived.length, sent);
      assert.equal(link.send([frames[0]!]), 1);
      return undefined;
    },
  },
  {
    id: "nic/carrier",
    title: "says that the carrier goes and comes, and that it is up or not",
    async run(stage) {
      const { carrier } = stage.options;
      if (!carrier) return skipped("the option `carrier` was not given");
      const link = await stage.open();
      const said: boolean[] = [];
      link.onLinkChange((up) => said.push(up));
      for (const up of [false, true]) {
        await carrier(link, up);
        await stage.until(() => said.at(-1) === up, `the listener heard that the carrier is ${up ? "there" : "gone"}`);
        assert.equal(link.up, up);
      }
      assert.deepEqual(said, [false, true]);
      return undefined;
    },
  },
  {
    id: "nic/close",
    title: "closes full and in use, twice and from inside; says nothing afterwards, and refuses frames with VM_NOT_OPEN",
    async run(stage) {
      const link = await stage.open();
      const far = await stage.options.far?.(link);
      let closed = false;
      let late = 0;
      const heard = (): void => {
        if (closed) late += 1;
      };
      link.onWritable(heard);
      link.onLinkChange(heard);
      link.onFrames(() => {
        heard();
        return 0;
      });
      const frames = numbered(link, BATCH);
      link.send(frames);
      far?.send(frames);
      await new Promise((later) => setImmediate(later));
      const closing = Promise.all([link.close(), link.close()]);
      await closing;
      closed = true;
      await link.close();
      link.resume();
      assert.throws(() => link.send(frames), { code: "VM_NOT_OPEN" });
      assert.equal(link.up, false);
      await new Promise((later) => setTimeout(later, 20));
      assert.equal(late, 0, "listeners that were called after it was closed");
      await far?.close();
    },
  },
  {
    id: "nic/close-from-inside",
    title: "closes while it hands over frames",
    needsFar: true,
    async run(stage) {
      const [link, far] = await stage.pair();
      let closing: Promise<void> | null = null;
      let afterwards = 0;
      link.onFrames((frames) => {
        if (closing) afterwards += 1;
        closing ??= link.close();
        return frames.length - 1;
      });
      far.send(numbered(link, 8));
      await stage.until(() => closing !== null, "frames came");
      await closing;
      link.resume();
      await new Promise((later) => setTimeout(later, 10));
      assert.equal(afterwards, 0, "frames after it was closed");
    },
  },
];

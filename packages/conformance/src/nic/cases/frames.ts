// Frames in both directions: unchanged, in order, of every length, while the bytes stay their owner's.

import assert from "node:assert/strict";
import { ETHERNET_HEADER_BYTES, longestFrameBytes } from "@ringzero/api";
import type { NicCase } from "../nic-case.js";
import { collect, numbered } from "../nic-stage.js";

const MANY = 500;

export const FRAME_CASES: readonly NicCase[] = [
  {
    id: "nic/shape",
    title: "has an MTU of Ethernet, says of each offload whether it has it, and has a carrier or none",
    async run(stage) {
      const link = await stage.open();
      const { mtuBytes } = link.capabilities;
      assert.ok(Number.isInteger(mtuBytes) && mtuBytes >= 68 && mtuBytes <= 65_535, `mtuBytes is ${mtuBytes}`);
      assert.equal(typeof link.capabilities.checksumOffload, "boolean");
      assert.equal(typeof link.capabilities.segmentationOffload, "boolean");
      assert.equal(typeof link.up, "boolean");
    },
  },
  {
    id: "nic/lengths",
    title:
      "refuses frames shorter than a header and longer than it takes with a RangeError, and none of those given with them is sent",
    async run(stage) {
      const link = await stage.open();
      const most = longestFrameBytes(link.capabilities);
      const [good] = numbered(link, 1);
      for (const length of [0, ETHERNET_HEADER_BYTES - 1, most + 1]) {
        assert.throws(() => link.send([good!, new Uint8Array(length)]), RangeError, `a frame of ${length} bytes`);
      }
      const taken = link.send([new Uint8Array(ETHERNET_HEADER_BYTES), new Uint8Array(most)]);
      assert.ok(taken >= 0 && taken <= 2, `send of 2 frames took ${taken}`);
      assert.equal(link.send([]), 0);
    },
  },
  {
    id: "nic/refused-whole",
    title: "sends no frame of a call that it refused",
    needsFar: true,
    async run(stage) {
      const [link, far] = await stage.pair();
      const arrived = collect(far);
      const frames = numbered(link, 2);
      assert.throws(() => link.send([frames[0]!, new Uint8Array(1)]), RangeError);
      await stage.sendAll(link, frames);
      await stage.until(() => arrived.length >= 2, "the frames arrived");
      stage.assertArrived(arrived, frames);
    },
  },
  {
    id: "nic/sends",
    title: `brings ${MANY} frames of all lengths to the other side, unchanged and in order`,
    needsFar: true,
    async run(stage) {
      const [link, far] = await stage.pair();
      const arrived = collect(far);
      const frames = numbered(link, MANY);
      await stage.sendAll(link, frames);
      await stage.until(() => arrived.length > 0 && (stage.options.mayDrop || arrived.length >= MANY), "the frames arrived");
      stage.assertArrived(arrived, frames);
    },
  },
  {
    id: "nic/receives",
    title: `brings ${MANY} frames of all lengths from the other side, unchanged and in order`,
    needsFar: true,
    async run(stage) {
      const [link, far] = await stage.pair();
      const arrived = collect(link);
      const frames = numbered(link, MANY);
      await stage.sendAll(far, frames);
      await stage.until(() => arrived.length > 0 && (stage.options.mayDrop || arrived.length >= MANY), "the frames came");
      stage.assertArrived(arrived, frames);
    },
  },
  {
    id: "nic/bytes-afterwards",
    title: "has what it needs of a frame when `send` returns: the caller reuses the bytes",
    needsFar: true,
    async run(stage) {
      const [link, far] = await stage.pair();
      const arrived = collect(far);
      const frames = numbered(link, 8);
      const buffer = frames.map((frame) => frame.slice());
      const taken = link.send(buffer);
      for (const frame of buffer) frame.fill(0xee);
      await stage.until(() => arrived.length >= taken, "the frames arrived");
      stage.assertArrived(arrived, frames.slice(0, taken));
    },
  },
  {
    id: "nic/early",
    title: "takes frames of the network before anybody listens, and gives them or drops them",
    needsFar: true,
    async run(stage) {
      const [link, far] = await stage.pair();
      const frames = numbered(link, 4);
      far.send(frames.slice(0, 2));
      await new Promise((later) => setTimeout(later, 10));
      const arrived = collect(link);
      await stage.sendAll(far, frames.slice(2));
      const numbersSoFar = (): number[] => arrived.map((frame) => frames.findIndex((one) => Buffer.compare(one, frame) === 0));
      await stage.until(() => numbersSoFar().at(-1) === 3, "later frames came");
      const numbers = numbersSoFar();
      assert.deepEqual(numbers.slice(-2), [2, 3]);
    },
  },
  {
    id: "nic/from-inside",
    title: "takes frames that are sent while it hands over others",
    needsFar: true,
    async run(stage) {
      const [link, far] = await stage.pair();
      const arrived = collect(far);
      link.onFrames((frames) => link.send(frames));
      const frames = numbered(link, 8);
      await stage.sendAll(far, frames);
      await stage.until(() => arrived.length >= frames.length, "the frames came back");
      stage.assertArrived(arrived, frames);
    },
  },
];

// The suites for disks and NICs can fail: one thing wrong each, and the cases that must find it.

import assert from "node:assert/strict";
import type { BlockDevice, NetworkLink } from "@ringzero/api";
import { type ConformanceCase, diskCases, nicCases, runCases } from "@ringzero/conformance";
import { cable, type CableEnd, MemoryDisk, MemoryDiskContent } from "@ringzero/testing";

const PATIENCE_MS = 500;

/** All members of `target`, but for those in `changes`. */
function altered<T extends object>(target: T, changes: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(changes, name)) return Reflect.get(changes, name) as unknown;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
}

async function assertFound(all: readonly ConformanceCase[], found: readonly string[]): Promise<void> {
  for (const id of found) {
    const one = all.find((each) => each.id === id);
    assert.ok(one, `there is no case ${id}`);
    const [result] = await runCases([one]);
    assert.equal(result?.outcome.kind, "failed", `${id} did not see it`);
  }
}

interface Defect<T> {
  readonly what: string;
  readonly change: (inner: T) => Partial<T>;
  readonly found: readonly string[];
}

const DISK_DEFECTS: readonly Defect<MemoryDisk>[] = [
  {
    what: "reads the last block short",
    change: (disk) => ({
      read: async (at, into) => {
        const kept = into.slice(-4);
        await disk.read(at, into);
        into.set(kept, into.length - 4);
      },
    }),
    found: ["disk/fills", "disk/read-back"],
  },
  {
    what: "writes the block beside, too",
    change: (disk) => ({
      write: async (at, from) => {
        await disk.write(at, from);
        const next = at + from.length;
        if (next < disk.sizeBytes) await disk.write(next, new Uint8Array(disk.blockBytes));
      },
    }),
    found: ["disk/overwrite", "disk/zeroes", "disk/discard"],
  },
  {
    what: "loses every third write",
    change: (disk) => {
      let count = 0;
      return { write: async (at, from) => (++count % 3 === 0 ? undefined : disk.write(at, from)) };
    },
    found: ["disk/read-back", "disk/at-once"],
  },
  { what: "writes no zeroes", change: () => ({ writeZeroes: async () => undefined }), found: ["disk/zeroes", "disk/ranges"] },
  {
    what: "discards a block too much",
    change: (disk) => ({ discard: (at, size) => disk.discard(at, Math.min(size + disk.blockBytes, disk.sizeBytes - at)) }),
    found: ["disk/discard"],
  },
  {
    what: "mixes writes that overlap",
    change: (disk) => {
      let count = 0;
      return {
        write: async (at, from) => {
          count += 1;
          const forwards = count % 2 === 1;
          const places = Array.from({ length: from.length / 64 }, (_, i) => 64 * i);
          if (forwards) for (let turn = 0; turn < 3; turn += 1) await new Promise((later) => setImmediate(later));
          for (const place of forwards ? places : places.reverse()) {
            disk.content.bytes.set(from.subarray(place, place + 64), at + place);
            await new Promise((turn) => setImmediate(turn));
          }
        },
      };
    },
    found: ["disk/overlapping"],
  },
  {
    what: "holds on to the caller's bytes",
    change: (disk) => ({
      write: async (at, from) => void setTimeout(() => disk.content.bytes.set(from, at), 5),
    }),
    found: ["disk/bytes-afterwards", "disk/read-back"],
  },
  {
    what: "reads once more when it has settled",
    change: (disk) => ({
      read: async (at, into) => {
        await disk.read(at, into);
        setTimeout(() => into.set(disk.content.bytes.subarray(at, at + into.length)), 2);
      },
    }),
    found: ["disk/bytes-afterwards"],
  },
  {
    what: "reads beyond its end as zeros",
    change: (disk) => ({
      read: async (at, into) => (at + into.length > disk.sizeBytes ? void into.fill(0) : disk.read(at, into)),
    }),
    found: ["disk/ranges", "disk/resize"],
  },
  {
    what: "rounds places down to whole blocks",
    change: (disk) => ({ write: (at, from) => disk.write(at - (at % disk.blockBytes), from) }),
    found: ["disk/ranges"],
  },
  {
    what: "writes although it does not claim it",
    change: (disk) => ({ capabilities: { ...disk.capabilities, write: false, flush: false } }),
    found: ["disk/unclaimed"],
  },
  {
    what: "forgets what was not flushed twice",
    change: (disk) => ({
      close: async () => {
        disk.content.bytes = new Uint8Array(disk.sizeBytes);
        await disk.close();
      },
    }),
    found: ["disk/durable"],
  },
  {
    what: "closes before what is under way has settled",
    change: (disk) => {
      let open = true;
      const refuse = async (): Promise<void> => {
        if (!open) throw new Error("closed");
      };
      return {
        read: (at, into) => refuse().then(() => disk.read(at, into)),
        close: async () => void (open = false),
      };
    },
    found: ["disk/close-busy"],
  },
  {
    what: "never ends a flush",
    change: () => ({ flush: () => new Promise(() => undefined) }),
    found: ["disk/overwrite", "disk/flush-busy"],
  },
  { what: "says nothing of its new size", change: () => ({ onResize: () => undefined }), found: ["disk/resize"] },
];

const NIC_DEFECTS: readonly Defect<CableEnd>[] = [
  {
    what: "keeps the caller's bytes",
    change: (link) => ({
      send: (frames) => {
        setImmediate(() => {
          try {
            link.send(frames);
          } catch {
            // closed meanwhile, or refused too late
          }
        });
        return frames.length;
      },
    }),
    found: ["nic/bytes-afterwards", "nic/lengths"],
  },
  {
    what: "turns the order of two frames round",
    change: (link) => ({ send: (frames) => link.send([...frames].reverse()) }),
    found: ["nic/sends"],
  },
  {
    what: "cuts long frames",
    change: (link) => ({ send: (frames) => link.send(frames.map((one) => one.subarray(0, 1000))) }),
    found: ["nic/sends", "nic/lengths"],
  },
  {
    what: "loses a frame now and then",
    change: (link) => ({ send: (frames) => link.send(frames.slice(1)) + Math.min(1, frames.length) }),
    found: ["nic/sends"],
  },
  {
    what: "sends what comes before a frame that it refuses",
    change: (link) => ({
      send: (frames) => {
        let taken = 0;
        for (const frame of frames) taken += link.send([frame]);
        return taken;
      },
    }),
    found: ["nic/refused-whole"],
  },
  {
    what: "never says that there is room",
    change: () => ({ onWritable: () => undefined }),
    found: ["nic/network-full", "nic/sends"],
  },
  {
    what: "takes everything and drops it when it is full",
    change: (link) => ({ send: (frames) => Math.max(link.send(frames), frames.length) }),
    found: ["nic/network-full"],
  },
  {
    what: "offers a frame again that was taken",
    change: (link) => ({
      onFrames: (receive) => {
        let last: Uint8Array | null = null;
        link.onFrames((frames) => {
          const offered = last ? [last, ...frames] : frames;
          const taken = receive(offered) - (last ? 1 : 0);
          last = frames[Math.max(0, taken - 1)] ?? null;
          return Math.max(0, taken);
        });
      },
    }),
    found: ["nic/receives", "nic/guest-full"],
  },
  {
    what: "drops what the guest has no buffers for",
    change: (link) => ({ onFrames: (receive) => link.onFrames((frames) => Math.max(receive(frames), frames.length)) }),
    found: ["nic/guest-full"],
  },
  {
    what: "queues without bound for the guest",
    change: (link) => {
      const queue: Uint8Array[] = [];
      return {
        onFrames: () =>
          link.onFrames((frames) => {
            queue.push(...frames);
            return frames.length;
          }),
      };
    },
    found: ["nic/guest-never", "nic/receives"],
  },
  { what: "does not hear `resume`", change: () => ({ resume: () => undefined }), found: ["nic/guest-full"] },
  { what: "says nothing of its carrier", change: () => ({ onLinkChange: () => undefined }), found: ["nic/carrier"] },
  { what: "sends when it is closed", change: () => ({ send: () => 0 }), found: ["nic/close"] },
  {
    what: "speaks after it was closed",
    change: (link) => ({
      close: async () => undefined,
      onFrames: (receive) => link.onFrames(receive),
    }),
    found: ["nic/close", "nic/close-from-inside"],
  },
];

describe("the conformance suite finds a disk that", () => {
  for (const { what, change, found } of DISK_DEFECTS) {
    it(what, async () => {
      const inner = new WeakMap<BlockDevice, MemoryDisk>();
      const wrap = (disk: MemoryDisk): BlockDevice => {
        const outer: BlockDevice = altered<MemoryDisk>(disk, change(disk));
        inner.set(outer, disk);
        return outer;
      };
      const cases = diskCases(() => wrap(new MemoryDisk({}, new MemoryDiskContent(new Uint8Array(2 ** 16).fill(3)))), {
        patienceMs: PATIENCE_MS,
        reopen: (disk) => wrap(new MemoryDisk({}, inner.get(disk)!.content)),
        resize: (disk, sizeBytes) => inner.get(disk)!.resize(sizeBytes),
      });
      await assertFound(cases, found);
    });
  }
});

describe("the conformance suite finds a NIC that", () => {
  for (const { what, change, found } of NIC_DEFECTS) {
    it(what, async () => {
      const ends = new WeakMap<NetworkLink, readonly [CableEnd, CableEnd]>();
      const make = (): NetworkLink => {
        const pair = cable();
        const outer: NetworkLink = altered<CableEnd>(pair[0], change(pair[0]));
        ends.set(outer, pair);
        return outer;
      };
      const cases = nicCases(make, {
        patienceMs: PATIENCE_MS,
        far: (link) => ends.get(link)![1],
        carrier: (link, up) => ends.get(link)![0].setCarrier(up),
      });
      await assertFound(cases, found);
    });
  }
});

// What is written is what is read, whatever the place, the length and the order.

import type { DiskDataCase } from "../disk-case.js";

export const TRANSFER_CASES: readonly DiskDataCase[] = [
  {
    id: "disk/read-back",
    title: "reads back what was written: the first block, the last, and several at once",
    needs: ["write"],
    steps: [
      { do: "write", first: 0, count: 1, seed: 1 },
      { do: "write", first: -1, count: 1, seed: 2 },
      { do: "write", first: 2, count: 3, seed: 3 },
      { do: "expect", first: 0, count: 1 },
      { do: "expect", first: -1, count: 1 },
      { do: "expect", first: 2, count: 3 },
      { do: "expect", first: 0, count: 5 },
    ],
  },
  {
    id: "disk/overwrite",
    title: "keeps the blocks around one that is written anew",
    needs: ["write"],
    steps: [
      { do: "write", first: 0, count: 8, seed: 4 },
      { do: "write", first: 3, count: 1, seed: 5 },
      { do: "write", first: 5, count: 2, seed: 6 },
      { do: "expect", first: 0, count: 8 },
      { do: "flush" },
      { do: "expect", first: 0, count: 8 },
      { do: "write", first: 3, count: 1, seed: 7 },
      { do: "expect", first: 2, count: 3 },
    ],
  },
  {
    id: "disk/zeroes",
    title: "reads zeros where zeroes were written, with and without leave to unmap, and nowhere else",
    needs: ["write", "writeZeroes"],
    steps: [
      { do: "write", first: 0, count: 8, seed: 8 },
      { do: "zero", first: 1, count: 2, mayUnmap: false },
      { do: "zero", first: 5, count: 2, mayUnmap: true },
      { do: "expect", first: 0, count: 8 },
      { do: "write", first: 2, count: 1, seed: 9 },
      { do: "write", first: 6, count: 1, seed: 10 },
      { do: "expect", first: 0, count: 8 },
    ],
  },
  {
    id: "disk/discard",
    title: "keeps the blocks around those that are discarded, and takes writes there afterwards",
    needs: ["write", "discard"],
    steps: [
      { do: "write", first: 0, count: 8, seed: 11 },
      { do: "discard", first: 2, count: 4 },
      { do: "expect", first: 0, count: 8 },
      { do: "write", first: 5, count: 1, seed: 12 },
      { do: "flush" },
      { do: "expect", first: 0, count: 8 },
    ],
  },
];

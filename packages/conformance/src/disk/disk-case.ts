// Cases of the disk suite. Most are data: steps on one disk, played against a model of what it holds.

import type { BlockCapabilities, BlockDevice } from "@ringzero/api";
import type { Outcome } from "../case.js";
import { assertSame, type DiskStage, pattern } from "./disk-stage.js";

interface DiskCaseBase {
  readonly id: string;
  readonly title: string;
  /** Capabilities without which the case is skipped; that they are refused then is a case of its own. */
  readonly needs?: readonly (keyof BlockCapabilities)[];
}

/** A case that is code. */
export interface DiskCodeCase extends DiskCaseBase {
  /** @returns why it could not run after all */
  run(stage: DiskStage): Promise<Outcome | void>;
}

/** Blocks, negative ones from the end of the disk: -1 is the last. */
interface Blocks {
  readonly first: number;
  readonly count: number;
}

export type DiskStep =
  | (Blocks & { readonly do: "write"; readonly seed: number })
  | (Blocks & { readonly do: "zero"; readonly mayUnmap: boolean })
  | (Blocks & { readonly do: "discard" })
  | { readonly do: "flush" }
  /** Read, and compare with all that the steps before must have left. */
  | (Blocks & { readonly do: "expect" });

export interface DiskDataCase extends DiskCaseBase {
  readonly steps: readonly DiskStep[];
}

export type DiskCase = DiskCodeCase | DiskDataCase;

/** Bytes that the steps wrote, by block; what was discarded or never written may be anything. */
type Model = Map<number, Uint8Array>;

/** Play steps one after the other. @throws AssertionError at the first that finds something else than the model */
export async function playSteps(stage: DiskStage, disk: BlockDevice, steps: readonly DiskStep[]): Promise<void> {
  const model: Model = new Map();
  const blockBytes = disk.blockBytes;
  for (const [i, step] of steps.entries()) {
    const what = `step ${i}, ${step.do}`;
    if (step.do === "flush") {
      if (disk.capabilities.flush) await stage.within(what, disk.flush());
      continue;
    }
    const first = step.first < 0 ? disk.sizeBytes / blockBytes + step.first : step.first;
    const [at, sizeBytes] = [first * blockBytes, step.count * blockBytes];
    switch (step.do) {
      case "write": {
        const bytes = pattern(step.seed, sizeBytes);
        await stage.within(what, disk.write(at, bytes.slice()));
        remember(model, first, step.count, (block) => bytes.slice(block * blockBytes, (block + 1) * blockBytes));
        break;
      }
      case "zero":
        await stage.within(what, disk.writeZeroes(at, sizeBytes, step.mayUnmap));
        remember(model, first, step.count, () => new Uint8Array(blockBytes));
        break;
      case "discard":
        await stage.within(what, disk.discard(at, sizeBytes));
        for (let block = 0; block < step.count; block += 1) model.delete(first + block);
        break;
      case "expect": {
        const into = new Uint8Array(sizeBytes).fill(0xa5);
        await stage.within(what, disk.read(at, into));
        for (let block = 0; block < step.count; block += 1) {
          const wanted = model.get(first + block);
          if (wanted)
            assertSame(into.subarray(block * blockBytes, (block + 1) * blockBytes), wanted, `${what}, block ${first + block}`);
        }
        break;
      }
      default: {
        const unknown: never = step;
        throw new TypeError(`unknown step ${JSON.stringify(unknown)}`);
      }
    }
  }
}

function remember(model: Model, first: number, count: number, bytesOf: (block: number) => Uint8Array): void {
  for (let block = 0; block < count; block += 1) model.set(first + block, bytesOf(block));
}

// Shows how far the fetching of images is: a bar on a terminal, a line per step elsewhere.

import type { FetchProgress } from "@ringzero/boot";
import type { SingleBar } from "cli-progress";
import { createRequire } from "node:module";

export interface ProgressDisplay {
  /** To be given to `fetchDebianImages` as `onProgress`. */
  readonly onProgress: (progress: FetchProgress) => void;
  /** Takes the bar off; idempotent. */
  stop(): void;
}

const VERB: Readonly<Record<FetchProgress["step"], string>> = {
  resolving: "looking up",
  downloading: "downloading",
  unpacking: "unpacking",
  ready: "ready:",
};

/** @param output  usually stderr. Nothing is shown when the first word is that everything is ready (a warm cache) */
export function fetchProgress(output: NodeJS.WriteStream): ProgressDisplay {
  return output.isTTY ? barDisplay(output) : lineDisplay(output);
}

function lineDisplay(output: NodeJS.WriteStream): ProgressDisplay {
  let last = "";
  let fetched = false;
  return {
    onProgress: ({ step, what }) => {
      if (step !== "ready") fetched = true;
      const line = `ringzero: ${VERB[step]} ${what}\n`;
      if (fetched && line !== last) output.write((last = line));
    },
    stop: () => {},
  };
}

function barDisplay(output: NodeJS.WriteStream): ProgressDisplay {
  let bar: SingleBar | null = null;
  return {
    onProgress: ({ step, what, fraction }) => {
      if (bar === null && step === "ready") return;
      if (bar === null) {
        const library = createRequire(import.meta.url)("cli-progress") as typeof import("cli-progress"); // most runs fetch nothing
        bar = new library.SingleBar({
          stream: output,
          format: "{bar} {percentage} %  {doing}",
          hideCursor: true,
          clearOnComplete: true,
          barsize: 30,
        });
        bar.start(100, 0, { doing: "" });
      }
      bar.update(Math.round(fraction * 100), { doing: `${VERB[step]} ${what}` });
    },
    stop: () => {
      bar?.stop();
      bar = null;
    },
  };
}

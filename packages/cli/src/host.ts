// What the command uses of the process that it runs in, so that tests run it inside their own.

import type { Ringzero } from "@ringzero/core";
import { createRingzero } from "./composition.js";

/** Signals that end the command in an orderly way. */
export const ENDING_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
export type EndingSignal = (typeof ENDING_SIGNALS)[number];

export interface CliHost {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WritableStream;
  /** The SDK with its plugins; made anew for each command, disposed by it. */
  ringzero(): Ringzero;
  /** @returns stops listening */
  onSignal(listener: (signal: EndingSignal) => void): () => void;
  /** End the process at once: a second signal, when the orderly end takes too long. */
  exitNow(status: number): void;
}

export function processHost(): CliHost {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    ringzero: createRingzero,
    onSignal(listener) {
      for (const signal of ENDING_SIGNALS) process.on(signal, listener);
      return () => {
        for (const signal of ENDING_SIGNALS) process.off(signal, listener);
      };
    },
    exitNow: (status) => process.exit(status),
  };
}

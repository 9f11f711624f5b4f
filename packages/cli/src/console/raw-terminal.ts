// Raw mode of the terminal on stdin, and its way back: on every path out of the process that a program can catch.
// What must stay true: `restore` is idempotent and synchronous, and runs at process exit even when everything else failed.

import { spawnSync } from "node:child_process";
import type { ReadStream } from "node:tty";

/** Puts a terminal in raw mode; `restore` puts it back. Does nothing for what is no terminal. */
export class RawTerminal {
  #raw = false;
  readonly #restoreAtExit = (): void => this.restore();

  constructor(readonly input: NodeJS.ReadStream) {}

  enter(): void {
    if (this.#raw || !this.input.isTTY) return;
    (this.input as ReadStream).setRawMode(true);
    // Node's raw mode leaves output processing on, which adds a carriage return to every line feed of a full-screen program in the
    // guest. Without stty that is how it stays. `setRawMode(false)` puts back everything, this included.
    spawnSync("stty", ["-opost"], { stdio: [this.input, "ignore", "ignore"] });
    this.#raw = true;
    // "exit" also follows an uncaught exception and process.exit; signals that end us are turned into an orderly end elsewhere.
    process.on("exit", this.#restoreAtExit);
  }

  restore(): void {
    if (!this.#raw) return;
    this.#raw = false;
    process.off("exit", this.#restoreAtExit);
    try {
      (this.input as ReadStream).setRawMode(false);
    } catch {
      // The terminal is gone (SIGHUP): nobody is left to see its mode.
    }
  }
}

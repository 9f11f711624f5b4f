// Writes the events of a machine to a file, one JSON object a line: `{"at": milliseconds since the epoch, "event": name, …}`.
// What must stay true: every line is complete when the event has happened (synchronous writes), so that a crash loses none.
// A file that cannot be written any more is reported once, and never ends the machine.

import { closeSync, openSync, writeSync } from "node:fs";

export class EventsFile {
  #descriptor: number | null;

  /**
   * Make the file new, or empty it.
   * @throws the file system's error
   */
  constructor(
    readonly path: string,
    readonly onFailure: (sentence: string) => void,
  ) {
    this.#descriptor = openSync(path, "w", 0o644);
  }

  /** @param fields  plain data; `at` and `event` are added */
  write(event: string, fields: object, atMs = Date.now()): void {
    if (this.#descriptor === null) return;
    try {
      const line = Buffer.from(`${JSON.stringify({ at: atMs, event, ...fields })}\n`);
      for (let done = 0; done < line.length; ) done += writeSync(this.#descriptor, line, done);
    } catch (error) {
      this.onFailure(
        `--events: ${this.path}: cannot be written any more (${(error as NodeJS.ErrnoException).code ?? String(error)}); no further events are kept`,
      );
      this.close();
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}

// Waiting for text in a stream of bytes. Decodes UTF-8 across chunk borders; bytes that are no UTF-8 become U+FFFD here and stay
// what they are for whoever reads bytes. What must stay true: a match is found once, and the text kept is bounded.

import { RingzeroError } from "@ringzero/api";

/** Text kept for a wait that comes later than its match; older text is forgotten. */
const KEPT_CHARACTERS = 1 << 20;

interface Waiter {
  readonly pattern: RegExp;
  readonly resolve: (match: RegExpExecArray) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout | null;
}

export class ConsoleText {
  #text = "";
  #decoder = new TextDecoder();
  #waiters: Waiter[] = [];

  push(bytes: Uint8Array): void {
    this.#text += this.#decoder.decode(bytes, { stream: true });
    if (this.#waiters.length > 0) this.#match();
    // Trimmed at twice that: each trim copies the text, and a chatty guest brings a few bytes at a time.
    if (this.#text.length > 2 * KEPT_CHARACTERS) this.#text = this.#text.slice(-KEPT_CHARACTERS);
  }

  /** Waits in the order of the calls; text up to the end of a match is used up by it. */
  waitFor(pattern: RegExp, timeoutMs: number | null, name: string): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const timer =
        timeoutMs === null
          ? null
          : setTimeout(() => {
              this.#waiters = this.#waiters.filter((other) => other !== waiter);
              const message = `${pattern} did not appear on the console of ${name} within ${timeoutMs} ms; the last text was ${this.#tail()}`;
              reject(new RingzeroError("CONSOLE_TIMEOUT", message));
            }, timeoutMs);
      // A copy without g and y: their lastIndex would skip text.
      const waiter: Waiter = { pattern: new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, "")), resolve, reject, timer };
      this.#waiters.push(waiter);
      this.#match();
    });
  }

  close(name: string): void {
    for (const { pattern, reject, timer } of this.#waiters.splice(0)) {
      if (timer) clearTimeout(timer);
      reject(
        new RingzeroError(
          "CONSOLE_CLOSED",
          `the machine ${name} stopped before ${pattern} appeared on its console; the last text was ${this.#tail()}`,
        ),
      );
    }
  }

  #match(): void {
    for (let first = this.#waiters[0]; first; first = this.#waiters[0]) {
      const match = first.pattern.exec(this.#text);
      if (!match) return;
      this.#text = this.#text.slice(match.index + match[0].length);
      this.#waiters.shift();
      if (first.timer) clearTimeout(first.timer);
      first.resolve(match);
    }
  }

  #tail(): string {
    return JSON.stringify(this.#text.slice(-200));
  }
}

// A machine's serial port as its embedder uses it: bytes out, bytes in, waiting for text. What must stay true: with a reader, a byte
// is taken from the guest only when the one before was read (beyond a window); without one, the guest runs on and the newest output is kept.

import { ConsoleText } from "./console-text.js";

/** Output kept for a reader that comes later. */
const BACKLOG_BYTES = 256 * 1024;

/** How a console reaches the machine. */
export interface ConsoleLink {
  readonly name: string;
  write(bytes: Uint8Array): Promise<void>;
  grant(bytes: number): void;
}

export class SerialConsole implements AsyncIterable<Uint8Array> {
  readonly #text = new ConsoleText();
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #reader = false;
  #closed = false;
  #wake: (() => void) | null = null;

  /** @internal made by Machine.console() */
  constructor(readonly link: ConsoleLink) {}

  /**
   * The guest's output from here on, after what is still unread. Ends when the machine stops. One reader at a time.
   * @throws TypeError when another loop is still reading
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    if (this.#reader) throw new TypeError("the console is already being read; listen to the machine's event `console` instead");
    this.#reader = true;
    try {
      for (;;) {
        const next = this.#unread.shift();
        if (next) {
          this.#unreadBytes -= next.length;
          yield next;
          this.link.grant(next.length);
        } else if (this.#closed) return;
        else await new Promise<void>((wake) => (this.#wake = wake));
      }
    } finally {
      this.#reader = false;
      // What was withheld for this reader is granted: the guest goes on without one.
      this.link.grant(this.#unreadBytes);
    }
  }

  /**
   * Type into the guest.
   * @param input  text is sent as UTF-8
   * @returns resolves when the guest's serial port has taken all of it, or the machine stopped
   * @throws RingzeroError `VM_NOT_OPEN` when the machine does not run
   */
  async write(input: string | Uint8Array): Promise<void> {
    const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
    if (bytes.length > 0) await this.link.write(bytes);
  }

  /**
   * Wait until the guest has written something, also if it did before the call. A match uses up the text up to its end.
   * @returns the match, as of RegExp.exec
   * @throws RingzeroError `CONSOLE_TIMEOUT`, `CONSOLE_CLOSED`; both messages end with the last text seen
   */
  waitFor(pattern: RegExp, options: { readonly timeoutMs?: number } = {}): Promise<RegExpExecArray> {
    const wait = this.#text.waitFor(pattern, options.timeoutMs ?? null, this.link.name);
    if (this.#closed) this.#text.close(this.link.name);
    return wait;
  }

  /** @internal output arrived */
  push(bytes: Uint8Array): void {
    this.#text.push(bytes);
    this.#unread.push(bytes);
    this.#unreadBytes += bytes.length;
    if (this.#reader) this.#wake?.();
    else {
      this.link.grant(bytes.length);
      while (this.#unreadBytes - this.#unread[0]!.length >= BACKLOG_BYTES) this.#unreadBytes -= this.#unread.shift()!.length;
    }
  }

  /** @internal the run began */
  open(): void {
    this.#closed = false;
  }

  /** @internal the run ended */
  close(): void {
    this.#closed = true;
    this.#text.close(this.link.name);
    this.#wake?.();
  }
}

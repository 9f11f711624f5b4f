// Joins the first serial port of a machine to a terminal, a pipe, a file or nothing.
// What must stay true: input that the guest has no room for waits (a pipe is paused; of a person's keys up to 64 KiB are kept, and
// then the bell rings); end of input changes nothing for the machine; a reader of our output that goes away is reported, never thrown.

import { closeSync, openSync, writeSync } from "node:fs";
import type { ConsoleTarget } from "../grammar/machine-request.js";
import { ESCAPE_HELP, EscapeKeys } from "./escape-keys.js";
import { RawTerminal } from "./raw-terminal.js";

/** The machine's side. */
export interface SerialPort {
  /** Resolves when all bytes are taken, so that the sender can wait. */
  write(bytes: Uint8Array): Promise<void>;
}

/** What the console asks of the command around it. */
export interface ConsoleEvents {
  /** Ctrl-A X. */
  leave(): void;
  /** Ctrl-A M. */
  move(): void;
  /** Whoever read the output is gone. */
  outputClosed(): void;
  /** The file of `file:PATH` cannot be written any more. */
  failed(sentence: string): void;
}

export interface GuestConsole {
  /** Bytes of the guest. When a promise is returned, more is welcome when it resolves. */
  output(bytes: Uint8Array): Promise<void> | void;
  /** Start taking input for the guest. */
  connect(port: SerialPort): void;
  /** Whether the terminal is in raw mode, and so lines need carriage returns. */
  readonly raw: boolean;
  /** Let go of everything and put the terminal back; idempotent. */
  close(): void;
}

export interface Streams {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
}

/** @throws the file system's error for a file that cannot be made */
export function openConsole(target: ConsoleTarget, streams: Streams, events: ConsoleEvents): GuestConsole {
  switch (target.kind) {
    case "stdio":
      return new StdioConsole(streams, events);
    case "file":
      return new FileConsole(target.path, events);
    case "none":
      return { output: () => {}, connect: () => {}, raw: false, close: () => {} };
  }
}

const TYPE_AHEAD_BYTES = 64 * 1024;
const BELL = "\u0007";

class StdioConsole implements GuestConsole {
  readonly #keys = new EscapeKeys();
  readonly #terminal: RawTerminal;
  #port: SerialPort | null = null;
  #closed = false;
  #lastWrite: Promise<void> = Promise.resolve();
  #waitingBytes = 0;
  readonly #onData = (bytes: Buffer): void => void this.#input(bytes);
  readonly #onOutputError = (error: NodeJS.ErrnoException): void => {
    // EPIPE is the usual one; after any of them nobody can see the guest.
    if (!this.#closed) this.events.outputClosed();
    void error;
  };
  readonly #ignore = (): void => {};

  constructor(
    readonly streams: Streams,
    readonly events: ConsoleEvents,
  ) {
    this.#terminal = new RawTerminal(streams.stdin);
    streams.stdout.on("error", this.#onOutputError);
  }

  get raw(): boolean {
    return this.streams.stdin.isTTY === true && this.#port !== null && !this.#closed;
  }

  output(bytes: Uint8Array): Promise<void> | void {
    const { stdout } = this.streams;
    if (this.#closed || !stdout.writable || stdout.write(bytes)) return;
    return new Promise((resolve) => {
      const settle = (): void => {
        for (const event of ["drain", "close", "error"]) stdout.off(event, settle);
        resolve();
      };
      for (const event of ["drain", "close", "error"]) stdout.on(event, settle);
    });
  }

  connect(port: SerialPort): void {
    this.#port = port;
    this.#terminal.enter();
    this.streams.stdin.on("data", this.#onData);
    this.streams.stdin.on("error", this.#ignore); // a terminal that is gone says EIO: that is an end of input
    this.streams.stdin.resume();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.streams.stdin.off("data", this.#onData);
    this.streams.stdin.pause();
    this.#terminal.restore();
    // The error listeners stay: an EPIPE of the last bytes may come after this.
  }

  async #input(bytes: Buffer): Promise<void> {
    let guest: Uint8Array = bytes;
    const terminal = this.streams.stdin.isTTY === true;
    if (terminal) {
      const fed = this.#keys.feed(bytes);
      guest = fed.guest;
      for (const command of fed.commands) {
        if (command === "leave") this.events.leave();
        else if (command === "move") this.events.move();
        else if (command === "clear") this.streams.stdout.write("\u001b[H\u001b[2J");
        else this.streams.stdout.write(ESCAPE_HELP);
      }
    }
    if (guest.length === 0 || this.#port === null) return;
    // A terminal is read on, whatever the guest does, or a hung guest could not be left with Ctrl-A X.
    if (terminal && this.#waitingBytes + guest.length > TYPE_AHEAD_BYTES) {
      this.streams.stdout.write(BELL);
      return;
    }
    if (!terminal) this.streams.stdin.pause();
    this.#waitingBytes += guest.length;
    this.#lastWrite = this.#lastWrite.then(() => this.#port?.write(guest)).catch(() => {}); // a machine that is gone reports itself
    await this.#lastWrite;
    this.#waitingBytes -= guest.length;
    if (!terminal && !this.#closed) this.streams.stdin.resume();
  }
}

class FileConsole implements GuestConsole {
  readonly raw = false;
  #descriptor: number | null;

  constructor(
    readonly path: string,
    readonly events: ConsoleEvents,
  ) {
    this.#descriptor = openSync(path, "w", 0o644);
  }

  output(bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.length && this.#descriptor !== null; ) done += writeSync(this.#descriptor, bytes, done);
    } catch (error) {
      this.close();
      this.events.failed(
        `--console: ${this.path}: cannot be written any more (${(error as NodeJS.ErrnoException).code ?? String(error)}); make room and run again`,
      );
    }
  }

  connect(): void {
    // A file gives no input.
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}

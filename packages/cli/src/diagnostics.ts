// What the command says about itself, on stderr: one line per fact, for people or, with --json, for programs.
// What must stay true: stdout belongs to the guest (or to a command's result); a closed stderr is ignored.

import { RingzeroError } from "@ringzero/api";
import type { RequestProblem } from "./grammar/machine-request.js";

export class Diagnostics {
  /** While the terminal is raw, a line feed alone does not return the carriage. */
  rawTerminal = false;

  /** @param json  say final things as JSON instead of sentences */
  constructor(
    readonly output: NodeJS.WritableStream,
    public json: boolean,
  ) {}

  /** A sentence for a person; nothing with --json. */
  say(sentence: string): void {
    if (!this.json) this.#write(`ringzero: ${sentence}`);
  }

  /** A warning or error on the way; also with --json, as an object. */
  warn(sentence: string): void {
    if (this.json) this.#write(JSON.stringify({ warning: sentence }));
    else this.#write(`ringzero: ${sentence}`);
  }

  /** A result for programs; nothing without --json. */
  object(value: Readonly<Record<string, unknown>>): void {
    if (this.json) this.#write(JSON.stringify(value));
  }

  /** Every problem on a line of its own. */
  problems(problems: readonly RequestProblem[]): void {
    this.object({ problems });
    for (const { where, message } of problems) this.say(where === "" ? message : `${where}: ${message}`);
    this.say(problems.length === 1 ? "nothing was started" : `nothing was started: ${problems.length} problems`);
  }

  /** Something that was thrown: its message if it is one of the catalogue, and where it came from if it is a bug. */
  failure(error: unknown): void {
    const code = error instanceof RingzeroError ? error.code : null;
    const message = error instanceof Error ? error.message : String(error);
    this.object({ error: { code, message } });
    this.say(
      code === null ? `internal error: ${error instanceof Error ? (error.stack ?? message) : message}` : `${message} (${code})`,
    );
  }

  #write(line: string): void {
    const text = this.rawTerminal ? line.replaceAll("\n", "\r\n") : line;
    this.output.write(this.rawTerminal ? `\r${text}\r\n` : `${text}\n`);
  }
}

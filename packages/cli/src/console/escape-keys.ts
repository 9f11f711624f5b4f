// The keys that a console keeps for itself, as in other machine monitors: Ctrl-A, then one more key.
// Pure: bytes in, bytes for the guest and commands out. What must stay true: a split between Ctrl-A and its key changes nothing.

/** What the person at the terminal asked of the console itself. */
export type ConsoleCommand = "leave" | "clear" | "move" | "help";

/** Shown by Ctrl-A H. Lines end as a raw terminal wants it. */
export const ESCAPE_HELP = [
  "",
  "Ctrl-A X       stop the machine and leave",
  "Ctrl-A C       clear the screen (the guest does not notice)",
  "Ctrl-A M       move the running machine to the next engine (or a fresh one of the same kind)",
  "Ctrl-A Ctrl-A  send Ctrl-A to the guest (also: Ctrl-A A)",
  "Ctrl-A H       this help (also: Ctrl-A ?)",
  "Everything else, Ctrl-C and Ctrl-D included, goes to the guest.",
  "",
].join("\r\n");

const CTRL_A = 0x01;

export class EscapeKeys {
  #escaped = false;

  /**
   * @param bytes  as they came from the terminal
   * @returns what goes to the guest, and commands in the order of their keys
   */
  feed(bytes: Uint8Array): { readonly guest: Uint8Array; readonly commands: readonly ConsoleCommand[] } {
    const guest: number[] = [];
    const commands: ConsoleCommand[] = [];
    for (const byte of bytes) {
      if (!this.#escaped) {
        if (byte === CTRL_A) this.#escaped = true;
        else guest.push(byte);
        continue;
      }
      this.#escaped = false;
      switch (String.fromCharCode(byte).toLowerCase()) {
        case "x":
        case "\u0018": // Ctrl held down for both keys
          commands.push("leave");
          break;
        case "c":
        case "\u0003":
          commands.push("clear");
          break;
        case "m":
          commands.push("move");
          break;
        case "h":
        case "?":
        case "\b":
          commands.push("help");
          break;
        case "a":
        case "\u0001":
          guest.push(CTRL_A);
          break;
        default: // not one of ours: the guest gets neither, so that a slip does nothing
          break;
      }
    }
    return { guest: Uint8Array.from(guest), commands };
  }
}

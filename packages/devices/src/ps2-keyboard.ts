// A PS/2 keyboard behind the controller: takes commands, queues answers and scan codes (set 2, or 1 and 3 unconverted).
// Source: IBM "Personal System/2 Hardware Interface Technical Reference", "Keyboard (101- and 102-Key)".

import { set1ToSet2 } from "./scancodes.js";

/** What both PS/2 devices are to the controller: bytes in, bytes out. */
export interface Ps2Device {
  /** A byte from the host. Answers are queued at once. */
  receive(byte: number): void;
  /** The next byte for the host, or undefined. */
  next(): number | undefined;
  reset(): void;
}

export const PS2_ACK = 0xfa;
export const PS2_RESEND = 0xfe;
export const PS2_SELF_TEST_PASSED = 0xaa;

/** As on a real keyboard; further keys are lost, so that a guest that never reads costs nothing. */
const QUEUE_LIMIT = 256;

export class Ps2Keyboard implements Ps2Device {
  #queue: number[] = [];
  #command: number | null = null; // one that waits for its argument
  #scanning = true;
  #scancodeSet = 2;
  #lastSent = 0;
  /** Bits 0 Scroll Lock, 1 Num Lock, 2 Caps Lock. */
  leds = 0;

  /** Key presses and releases in scan code set 1, whole sequences; dropped while the guest has scanning off. */
  press(set1: Iterable<number>): void {
    if (!this.#scanning) return;
    const bytes = this.#scancodeSet === 1 ? [...set1] : set1ToSet2(set1);
    if (this.#queue.length + bytes.length <= QUEUE_LIMIT) this.#queue.push(...bytes);
  }

  next(): number | undefined {
    const byte = this.#queue.shift();
    if (byte !== undefined) this.#lastSent = byte;
    return byte;
  }

  reset(): void {
    this.#queue = [];
    this.#command = null;
    this.#setDefaults();
    this.#scanning = true;
  }

  save() {
    return {
      queue: [...this.#queue],
      command: this.#command,
      scanning: this.#scanning,
      scancodeSet: this.#scancodeSet,
      lastSent: this.#lastSent,
      leds: this.leds,
    };
  }

  restore(state: ReturnType<Ps2Keyboard["save"]>): void {
    this.#queue = [...state.queue];
    this.#command = state.command;
    this.#scanning = state.scanning;
    this.#scancodeSet = state.scancodeSet;
    this.#lastSent = state.lastSent;
    this.leds = state.leds;
  }

  receive(byte: number): void {
    const answer = this.#answer(byte); // may empty the queue
    this.#queue.unshift(...answer); // ahead of keys that wait
  }

  #answer(byte: number): readonly number[] {
    if (this.#command !== null) {
      const command = this.#command;
      this.#command = null;
      if (byte < 0xed) return this.#argument(command, byte);
      // A command byte where an argument should be starts that command instead.
    }
    switch (byte) {
      case 0xed: // set LEDs
      case 0xf0: // scan code set
      case 0xf3: // typematic rate and delay
      case 0xfb: // typematic, make-break or make for one key of set 3
      case 0xfc:
      case 0xfd:
        this.#command = byte;
        return [PS2_ACK];
      case 0xee: // echo
        return [0xee];
      case 0xf2: // identify: a translated MF II keyboard
        return [PS2_ACK, 0xab, 0x83];
      case 0xf4:
        this.#scanning = true;
        return [PS2_ACK];
      case 0xf5:
        this.#setDefaults();
        this.#scanning = false;
        return [PS2_ACK];
      case 0xf6:
        this.#setDefaults();
        return [PS2_ACK];
      case 0xf7: // set 3 only: all keys typematic, make-break …
      case 0xf8:
      case 0xf9:
      case 0xfa:
        return [PS2_ACK];
      case 0xfe:
        return [this.#lastSent];
      case 0xff:
        this.reset();
        return [PS2_ACK, PS2_SELF_TEST_PASSED];
      default:
        return [PS2_RESEND];
    }
  }

  #argument(command: number, byte: number): readonly number[] {
    if (command === 0xed) this.leds = byte & 7;
    if (command === 0xf0) {
      if (byte === 0) return [PS2_ACK, this.#scancodeSet];
      if (byte > 3) return [PS2_RESEND];
      this.#scancodeSet = byte;
    }
    return [PS2_ACK];
  }

  #setDefaults(): void {
    this.#scancodeSet = 2;
    this.leds = 0;
  }
}

// A standard two-wheel-less PS/2 mouse that never moves by itself: enough for a driver to find and to set it up; `move` reports motion.
// Source: IBM "Personal System/2 Hardware Interface Technical Reference", "Mouse".

import { PS2_ACK, PS2_RESEND, PS2_SELF_TEST_PASSED, type Ps2Device } from "./ps2-keyboard.js";

const QUEUE_LIMIT = 256;
const STANDARD_MOUSE_ID = 0x00;

export class Ps2Mouse implements Ps2Device {
  #queue: number[] = [];
  #command: number | null = null;
  #lastSent = 0;
  #reporting = false;
  #remote = false;
  #scaling2 = false;
  #resolution = 2; // 4 counts a millimetre
  #sampleRateHz = 100;
  #buttons = 0;

  /**
   * Report motion and buttons, when the guest asked for reports.
   * @param dx, dy   counts, -255..255; y grows upwards
   * @param buttons  bits 0 left, 1 right, 2 middle
   */
  move(dx: number, dy: number, buttons: number): void {
    this.#buttons = buttons & 7;
    if (this.#reporting && !this.#remote && this.#queue.length + 3 <= QUEUE_LIMIT) this.#queue.push(...this.#packet(dx, dy));
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
  }

  save() {
    return {
      queue: [...this.#queue],
      command: this.#command,
      lastSent: this.#lastSent,
      reporting: this.#reporting,
      remote: this.#remote,
      scaling2: this.#scaling2,
      resolution: this.#resolution,
      sampleRateHz: this.#sampleRateHz,
      buttons: this.#buttons,
    };
  }

  restore(state: ReturnType<Ps2Mouse["save"]>): void {
    this.#queue = [...state.queue];
    this.#command = state.command;
    this.#lastSent = state.lastSent;
    this.#reporting = state.reporting;
    this.#remote = state.remote;
    this.#scaling2 = state.scaling2;
    this.#resolution = state.resolution;
    this.#sampleRateHz = state.sampleRateHz;
    this.#buttons = state.buttons;
  }

  receive(byte: number): void {
    const answer = this.#answer(byte); // may empty the queue
    this.#queue.unshift(...answer); // ahead of reports that wait
  }

  #answer(byte: number): readonly number[] {
    if (this.#command !== null) {
      if (this.#command === 0xe8) this.#resolution = byte & 3;
      else this.#sampleRateHz = byte;
      this.#command = null;
      return [PS2_ACK];
    }
    switch (byte) {
      case 0xe6:
      case 0xe7:
        this.#scaling2 = byte === 0xe7;
        return [PS2_ACK];
      case 0xe8: // set resolution
      case 0xf3: // set sample rate
        this.#command = byte;
        return [PS2_ACK];
      case 0xe9: // status
        return [
          PS2_ACK,
          (this.#remote ? 0x40 : 0) | (this.#reporting ? 0x20 : 0) | (this.#scaling2 ? 0x10 : 0) | this.#statusButtons(),
          this.#resolution,
          this.#sampleRateHz,
        ];
      case 0xea: // stream mode
      case 0xf0: // remote mode
        this.#remote = byte === 0xf0;
        return [PS2_ACK];
      case 0xeb: // read data
        return [PS2_ACK, ...this.#packet(0, 0)];
      case 0xf2:
        return [PS2_ACK, STANDARD_MOUSE_ID];
      case 0xf4:
      case 0xf5:
        this.#reporting = byte === 0xf4;
        return [PS2_ACK];
      case 0xf6:
        this.#setDefaults();
        return [PS2_ACK];
      case 0xfe:
        return [this.#lastSent];
      case 0xff:
        this.reset();
        return [PS2_ACK, PS2_SELF_TEST_PASSED, STANDARD_MOUSE_ID];
      default:
        return [PS2_RESEND];
    }
  }

  #packet(dx: number, dy: number): [number, number, number] {
    const ALWAYS_ONE = 0x08;
    return [this.#buttons | ALWAYS_ONE | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0), dx & 0xff, dy & 0xff];
  }

  /** In the status answer left is bit 2, middle 1, right 0. */
  #statusButtons(): number {
    return ((this.#buttons & 1) << 2) | ((this.#buttons & 4) >> 1) | ((this.#buttons & 2) >> 1);
  }

  #setDefaults(): void {
    this.#reporting = false;
    this.#remote = false;
    this.#scaling2 = false;
    this.#resolution = 2;
    this.#sampleRateHz = 100;
  }
}

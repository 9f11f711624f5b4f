// The 8042 keyboard controller of an AT, as a chip without ports: the command and data registers, two PS/2 devices, two interrupt
// outputs, and the output port's reset line. Source: IBM "Personal System/2 Hardware Interface Technical Reference",
// "Keyboard and Auxiliary Device Controller". The A20 line is a bit that reads back: the machine's A20 is always open.

import type { Ps2Device } from "./ps2-keyboard.js";
import { ScancodeTranslator } from "./scancodes.js";

export interface I8042Host {
  /** Interrupt outputs: keyboard is IRQ 1, auxiliary IRQ 12. */
  setInterrupt(which: "keyboard" | "auxiliary", asserted: boolean): void;
  /** The guest pulled the processor's reset line. */
  resetMachine(): void;
}

const STATUS_OBF = 0x01; // output buffer full
const STATUS_SYSTEM = 0x04; // self-test passed
const STATUS_COMMAND = 0x08; // the last write was to the command port
const STATUS_UNLOCKED = 0x10; // the keyboard lock is open
const STATUS_AUX = 0x20; // the byte in the output buffer is the auxiliary device's

const CTR_KEYBOARD_INTERRUPT = 0x01;
const CTR_AUX_INTERRUPT = 0x02;
const CTR_SYSTEM = 0x04;
const CTR_KEYBOARD_OFF = 0x10;
const CTR_AUX_OFF = 0x20;
const CTR_TRANSLATE = 0x40;

const OUTPUT_NOT_RESET = 0x01;
const OUTPUT_A20 = 0x02;

type Source = "controller" | "keyboard" | "auxiliary";

export class I8042Controller {
  readonly #host: I8042Host;
  readonly #keyboard: Ps2Device;
  readonly #mouse: Ps2Device;
  readonly #ram = new Uint8Array(32);
  #translator = new ScancodeTranslator();
  /** Bytes of the controller itself, ahead of those of the devices. */
  #answers: { byte: number; source: Source }[] = [];
  #output: { byte: number; source: Source } | null = null;
  #lastByte = 0;
  /** A command that waits for its byte at the data port. */
  #pending: number | null = null;
  #lastWasCommand = false;
  #outputPort = OUTPUT_NOT_RESET | OUTPUT_A20;

  constructor(host: I8042Host, keyboard: Ps2Device, mouse: Ps2Device) {
    this.#host = host;
    this.#keyboard = keyboard;
    this.#mouse = mouse;
    this.reset();
  }

  /** As firmware leaves it: enabled, translating, interrupts off. */
  reset(): void {
    this.#ram.fill(0);
    this.#ram[0] = CTR_SYSTEM | CTR_TRANSLATE;
    this.#translator = new ScancodeTranslator();
    this.#answers = [];
    this.#output = null;
    this.#pending = null;
    this.#lastWasCommand = false;
    this.#outputPort = OUTPUT_NOT_RESET | OUTPUT_A20;
    this.#keyboard.reset();
    this.#mouse.reset();
    this.#driveInterrupts();
  }

  save() {
    return {
      ram: [...this.#ram],
      breaking: this.#translator.breaking,
      answers: [...this.#answers],
      output: this.#output,
      lastByte: this.#lastByte,
      pending: this.#pending,
      lastWasCommand: this.#lastWasCommand,
      outputPort: this.#outputPort,
    };
  }

  restore(state: ReturnType<I8042Controller["save"]>): void {
    this.#ram.set(state.ram);
    this.#translator = new ScancodeTranslator(state.breaking);
    this.#answers = [...state.answers];
    this.#output = state.output;
    this.#lastByte = state.lastByte;
    this.#pending = state.pending;
    this.#lastWasCommand = state.lastWasCommand;
    this.#outputPort = state.outputPort;
    this.#driveInterrupts();
  }

  readStatus(): number {
    return (
      (this.#output ? STATUS_OBF : 0) |
      (this.#output?.source === "auxiliary" ? STATUS_AUX : 0) |
      (this.#ram[0]! & CTR_SYSTEM ? STATUS_SYSTEM : 0) |
      (this.#lastWasCommand ? STATUS_COMMAND : 0) |
      STATUS_UNLOCKED
    );
  }

  readData(): number {
    const output = this.#output;
    if (!output) return this.#lastByte;
    this.#lastByte = output.byte;
    this.#output = null;
    this.#driveInterrupts(); // the line falls before it rises for the next byte: the interrupt is edge-triggered
    this.service();
    return output.byte;
  }

  writeCommand(command: number): void {
    this.#lastWasCommand = true;
    this.#pending = null;
    if (command >= 0x20 && command <= 0x3f) this.#answer(this.#ram[command & 0x1f]!);
    else if (command >= 0x60 && command <= 0x7f) this.#pending = command;
    else if (command >= 0xf0) this.#pulse(command & 0xf);
    else this.#execute(command);
    this.service();
  }

  writeData(byte: number): void {
    this.#lastWasCommand = false;
    const pending = this.#pending;
    this.#pending = null;
    if (pending === null) {
      this.#ram[0] = this.#ram[0]! & ~CTR_KEYBOARD_OFF; // a byte to the keyboard switches its clock on
      this.#keyboard.receive(byte);
    } else if (pending === 0xd1) this.#writeOutputPort(byte);
    else if (pending === 0xd2) this.#answer(byte, "keyboard");
    else if (pending === 0xd3) this.#answer(byte, "auxiliary");
    else if (pending === 0xd4) {
      this.#ram[0] = this.#ram[0]! & ~CTR_AUX_OFF;
      this.#mouse.receive(byte);
    } else this.#ram[pending & 0x1f] = byte;
    this.service();
  }

  /** Move the next waiting byte into the output buffer. Call it when a device has got something to say. */
  service(): void {
    if (!this.#output) {
      this.#output = this.#answers.shift() ?? this.#fromDevices();
    }
    this.#driveInterrupts();
  }

  #fromDevices(): { byte: number; source: Source } | null {
    const control = this.#ram[0]!;
    if ((control & CTR_KEYBOARD_OFF) === 0) {
      for (let byte = this.#keyboard.next(); byte !== undefined; byte = this.#keyboard.next()) {
        const passed = (control & CTR_TRANSLATE) !== 0 ? this.#translator.translate(byte) : byte;
        if (passed !== null) return { byte: passed, source: "keyboard" };
      }
    }
    if ((control & CTR_AUX_OFF) === 0) {
      const byte = this.#mouse.next();
      if (byte !== undefined) return { byte, source: "auxiliary" };
    }
    return null;
  }

  #execute(command: number): void {
    switch (command) {
      case 0xa7:
        this.#ram[0] = this.#ram[0]! | CTR_AUX_OFF;
        break;
      case 0xa8:
        this.#ram[0] = this.#ram[0]! & ~CTR_AUX_OFF;
        break;
      case 0xa9: // test the auxiliary lines
      case 0xab: // test the keyboard lines
        this.#answer(0x00);
        break;
      case 0xaa: // self-test
        this.#ram[0] = this.#ram[0]! | CTR_SYSTEM;
        this.#answer(0x55);
        break;
      case 0xad:
        this.#ram[0] = this.#ram[0]! | CTR_KEYBOARD_OFF;
        break;
      case 0xae:
        this.#ram[0] = this.#ram[0]! & ~CTR_KEYBOARD_OFF;
        break;
      case 0xc0: // input port: keyboard not locked
        this.#answer(0x80);
        break;
      case 0xd0:
        this.#answer(this.#outputPort | (this.#output ? (this.#output.source === "auxiliary" ? 0x20 : 0x10) : 0));
        break;
      case 0xd1:
      case 0xd2:
      case 0xd3:
      case 0xd4:
        this.#pending = command;
        break;
      case 0xdd: // A20 off and on, on some chips
      case 0xdf:
        this.#outputPort = (this.#outputPort & ~OUTPUT_A20) | (command === 0xdf ? OUTPUT_A20 : 0);
        break;
      case 0xe0: // test inputs: both clocks high
        this.#answer(0x03);
        break;
      default: // unknown commands are ignored, as the chip does
    }
  }

  #answer(byte: number, source: Source = "controller"): void {
    this.#answers.push({ byte, source });
  }

  /** F0..FF pull the output port's low bits whose mask bit is 0 to ground for 6 µs. */
  #pulse(mask: number): void {
    if ((mask & OUTPUT_NOT_RESET) === 0) this.#host.resetMachine();
  }

  #writeOutputPort(value: number): void {
    this.#outputPort = value & 0xcf;
    if ((value & OUTPUT_NOT_RESET) === 0) this.#host.resetMachine();
  }

  /** Answers of the controller interrupt like the keyboard's bytes, as on the PS/2. */
  #driveInterrupts(): void {
    const control = this.#ram[0]!;
    const source = this.#output?.source;
    const keyboard = source === "keyboard" || source === "controller";
    this.#host.setInterrupt("keyboard", keyboard && (control & CTR_KEYBOARD_INTERRUPT) !== 0);
    this.#host.setInterrupt("auxiliary", source === "auxiliary" && (control & CTR_AUX_INTERRUPT) !== 0);
  }
}

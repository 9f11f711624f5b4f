// Device plugin `i8042`: the keyboard controller at ports 60h and 64h with a keyboard (line 1) and a mouse (line 12).
// The embedder types and moves by the device's commands; the guest resets the machine through it.

import { definePlugin, PC_IRQS, PC_PORTS, RingzeroError, Type } from "@ringzero/api";
import { I8042Controller } from "./i8042-controller.js";
import { Ps2Keyboard } from "./ps2-keyboard.js";
import { Ps2Mouse } from "./ps2-mouse.js";

/** Argument of the command `press-keys`: scan code set 1 bytes, whole sequences, such as `[0x1e, 0x9e]` for "a". */
export interface PressKeys {
  readonly scancodes: readonly number[];
}
/** Argument of the command `move-mouse`. */
export interface MoveMouse {
  /** Counts, -255..255; y grows upwards. */
  readonly dx: number;
  readonly dy: number;
  /** Bits 0 left, 1 right, 2 middle. */
  readonly buttons: number;
}

export const i8042Plugin = definePlugin({
  name: "i8042",
  kind: "device",
  api: { min: 1, max: 1 },
  summary: "Keyboard controller with a PS/2 keyboard and mouse",
  module: import.meta.url,
  options: Type.Object({}, { additionalProperties: false }),
  attach(machine) {
    const keyboard = new Ps2Keyboard();
    const mouse = new Ps2Mouse();
    const lines = {
      keyboard: machine.interrupts.line(PC_IRQS.keyboard),
      auxiliary: machine.interrupts.line(PC_IRQS.mouse),
    };
    const asserted = { keyboard: false, auxiliary: false };
    const controller = new I8042Controller(
      {
        setInterrupt: (which, level) => {
          if (asserted[which] === level) return; // the line is shared memory and a wake-up away: tell it only changes
          asserted[which] = level;
          lines[which].set(level);
        },
        resetMachine: () => machine.power.requestReset(),
      },
      keyboard,
      mouse,
    );
    machine.ports.claim(
      { first: PC_PORTS.i8042Data, count: 1 },
      { read: () => controller.readData(), write: (_port, value) => controller.writeData(value & 0xff) },
    );
    machine.ports.claim(
      { first: PC_PORTS.i8042Command, count: 1 },
      { read: () => controller.readStatus(), write: (_port, value) => controller.writeCommand(value & 0xff) },
    );
    return {
      commands: {
        "press-keys": (argument: unknown) => {
          const scancodes = (argument as Partial<PressKeys> | undefined)?.scancodes;
          if (!Array.isArray(scancodes) || !scancodes.every((code) => Number.isInteger(code) && code >= 0 && code <= 0xff)) {
            throw new TypeError("press-keys takes { scancodes: bytes of scan code set 1 }");
          }
          keyboard.press(scancodes);
          controller.service();
        },
        "move-mouse": (argument: unknown) => {
          const { dx, dy, buttons } = (argument ?? {}) as Partial<MoveMouse>;
          if (![dx, dy].every((count) => Number.isInteger(count) && Math.abs(count!) <= 255) || !Number.isInteger(buttons)) {
            throw new TypeError("move-mouse takes { dx, dy: -255..255, buttons: bits }");
          }
          mouse.move(dx!, dy!, buttons!);
          controller.service();
        },
      },
      reset: () => controller.reset(),
      saveState: async () => ({
        version: 1,
        data: { controller: controller.save(), keyboard: keyboard.save(), mouse: mouse.save() },
      }),
      loadState: async (state) => {
        if (state.version !== 1)
          throw new RingzeroError("VM_UNSUPPORTED", `i8042: state version ${state.version} is not known; this version knows 1`);
        const data = state.data as {
          controller: ReturnType<I8042Controller["save"]>;
          keyboard: ReturnType<Ps2Keyboard["save"]>;
          mouse: ReturnType<Ps2Mouse["save"]>;
        };
        keyboard.restore(data.keyboard);
        mouse.restore(data.mouse);
        controller.restore(data.controller);
      },
    };
  },
});

export default i8042Plugin;

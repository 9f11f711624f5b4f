// Device plugin `acpi-pm`: the fixed ACPI hardware that the FADT announces, at ports 600h–60Bh and 620h–623h, SCI on line 9.
// Power-off by `\_S5`; the embedder presses the buttons by the device's commands.

import { definePlugin, PC_IRQS, PC_PORTS, RingzeroError, Type } from "@ringzero/api";
import { AcpiPmBlock } from "./acpi-pm-block.js";

export const acpiPmPlugin = definePlugin({
  name: "acpi-pm",
  kind: "device",
  api: { min: 1, max: 1 },
  summary: "ACPI power management: power-off, buttons, PM timer",
  module: import.meta.url,
  options: Type.Object({}, { additionalProperties: false }),
  attach(machine) {
    const sci = machine.interrupts.line(PC_IRQS.acpiSci);
    let sciAsserted = false;
    const block = new AcpiPmBlock({
      monotonicMs: () => Number(machine.clock.nowNs()) / 1e6,
      schedule: (delayMs, callback) => {
        const timer = machine.clock.after(delayMs, callback);
        return () => timer.release();
      },
      setSci: (asserted) => {
        if (asserted === sciAsserted) return;
        sciAsserted = asserted;
        sci.set(asserted);
      },
      powerOff: () => machine.power.requestPowerOff(),
      ignoredSleep: (type) => machine.log.warn({ type }, "the guest asked for a sleep state that is not offered"),
    });

    // Byte and word registers, by port; a wider access comes as several of these, so that each register sees its own part once.
    const word = (read: () => number, write: (value: number) => void) => ({ read, write });
    const registers = new Map([
      [
        PC_PORTS.acpiPm1Event,
        word(
          () => block.readStatus(),
          (value) => block.writeStatus(value),
        ),
      ],
      [
        PC_PORTS.acpiPm1Event + 2,
        word(
          () => block.readEnable(),
          (value) => block.writeEnable(value),
        ),
      ],
      [
        PC_PORTS.acpiPm1Control,
        word(
          () => block.readControl(),
          (value) => block.writeControl(value),
        ),
      ],
      [
        PC_PORTS.acpiGpe0,
        word(
          () => block.readGpeStatus(),
          (value) => block.writeGpeStatus(value),
        ),
      ],
      [
        PC_PORTS.acpiGpe0 + 2,
        word(
          () => block.readGpeEnable(),
          (value) => block.writeGpeEnable(value),
        ),
      ],
    ]);
    /** Status registers clear by ones, so a byte write to one must not carry the other byte's ones back. */
    const clearsByOnes: ReadonlySet<number> = new Set([PC_PORTS.acpiPm1Event, PC_PORTS.acpiGpe0]);
    const readByte = (port: number) => (registers.get(port & ~1)!.read() >> ((port & 1) * 8)) & 0xff;
    const handler = {
      sizes: [1, 2, 4] as const,
      read: (port: number, size: 1 | 2 | 4): number => {
        let value = 0;
        for (let i = 0; i < size; i++)
          value += registers.has((port + i) & ~1) ? readByte(port + i) * 2 ** (8 * i) : 0xff * 2 ** (8 * i);
        return value;
      },
      write: (port: number, value: number, size: 1 | 2 | 4): void => {
        for (let i = 0; i < size; ) {
          const at = port + i;
          const register = registers.get(at & ~1);
          const whole = (at & 1) === 0 && size - i >= 2;
          const part = Math.floor(value / 2 ** (8 * i));
          if (whole) register?.write(part & 0xffff);
          else {
            const shift = (at & 1) * 8;
            const kept = clearsByOnes.has(at & ~1) ? 0 : (register?.read() ?? 0) & ~(0xff << shift);
            register?.write(kept | ((part & 0xff) << shift));
          }
          i += whole ? 2 : 1;
        }
      },
    };
    machine.ports.claim({ first: PC_PORTS.acpiPm1Event, count: 4 }, handler);
    machine.ports.claim({ first: PC_PORTS.acpiPm1Control, count: 2 }, handler);
    machine.ports.claim({ first: PC_PORTS.acpiGpe0, count: 4 }, handler);
    machine.ports.claim(
      { first: PC_PORTS.acpiPmTimer, count: 4 },
      {
        sizes: [1, 2, 4],
        read: (port, size) => Math.floor(block.readTimer() / 2 ** (8 * (port - PC_PORTS.acpiPmTimer))) % 2 ** (8 * size),
      },
    );
    return {
      commands: {
        "press-power-button": () => block.pressPowerButton(),
        "press-sleep-button": () => block.pressSleepButton(),
      },
      reset: () => block.reset(),
      pause: () => block.dispose(),
      resume: () => block.resume(),
      saveState: async () => ({ version: 1, data: block.save() }),
      loadState: async (state) => {
        if (state.version !== 1)
          throw new RingzeroError("VM_UNSUPPORTED", `acpi-pm: state version ${state.version} is not known; this version knows 1`);
        block.restore(state.data as ReturnType<AcpiPmBlock["save"]>);
      },
      dispose: () => block.dispose(),
    };
  },
});

export default acpiPmPlugin;

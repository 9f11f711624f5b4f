// Device plugin `system-control`: the two other ways in which a PC resets, ports 92h (PS/2) and CF9h (PIIX and later).
// CF8h–CFBh are claimed whole: a 4-byte access there is the address register of a PCI bus, which this platform does not have,
// and must not reach the reset register in its middle.

import { definePlugin, PC_PORTS, RingzeroError, Type } from "@ringzero/api";

const PCI_ADDRESS_PORT = 0xcf8;
const FAST_RESET = 0x01;
const A20 = 0x02;
const CPU_RESET = 0x04; // resets as it goes from 0 to 1
const SYSTEM_RESET = 0x02; // hard rather than soft; the same here
const FULL_RESET = 0x08; // with a power cycle; the same here

export const systemControlPlugin = definePlugin({
  name: "system-control",
  kind: "device",
  api: { min: 1, max: 1 },
  summary: "Reset by ports 92h and CF9h",
  module: import.meta.url,
  options: Type.Object({}, { additionalProperties: false }),
  attach(machine) {
    let controlA = A20; // A20 is always open; the bit reads back
    let reset = 0;
    machine.ports.claim(
      { first: PC_PORTS.systemControlA, count: 1 },
      {
        read: () => controlA,
        write: (_port, value) => {
          const rises = (value & FAST_RESET) !== 0 && (controlA & FAST_RESET) === 0;
          controlA = value & (A20 | FAST_RESET);
          if (rises) machine.power.requestReset();
        },
      },
    );
    machine.ports.claim(
      { first: PCI_ADDRESS_PORT, count: 4 },
      {
        sizes: [1, 2, 4],
        read: (port, size) => (size === 1 && port === PC_PORTS.resetControl ? reset : 2 ** (8 * size) - 1),
        write: (port, value, size) => {
          if (size !== 1 || port !== PC_PORTS.resetControl) return;
          const rises = (value & CPU_RESET) !== 0 && (reset & CPU_RESET) === 0;
          reset = value & (SYSTEM_RESET | CPU_RESET | FULL_RESET);
          if (rises) machine.power.requestReset();
        },
      },
    );
    return {
      reset: () => {
        controlA = A20;
        reset = 0;
      },
      saveState: async () => ({ version: 1, data: { controlA, reset } }),
      loadState: async (state) => {
        if (state.version !== 1) {
          throw new RingzeroError(
            "VM_UNSUPPORTED",
            `system-control: state version ${state.version} is not known; this version knows 1`,
          );
        }
        ({ controlA, reset } = state.data as { controlA: number; reset: number });
      },
    };
  },
});

export default systemControlPlugin;

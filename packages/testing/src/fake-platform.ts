// A platform of nothing but serial ports, and a device by which a fake guest ends its machine.

import { definePlugin } from "@ringzero/api";

const UARTS = [
  { port: 0x3f8, irq: 4 },
  { port: 0x2f8, irq: 3 },
  { port: 0x3e8, irq: 4 },
  { port: 0x2e8, irq: 3 },
];

export const fakePlatformPlugin = definePlugin({
  name: "fake-pc",
  kind: "platform",
  api: { min: 1, max: 1 },
  summary: "Serial ports and a power port, for tests",
  module: new URL("./plugins.js", import.meta.url).href,
  devices: () => [{ id: "power", plugin: "fake-power" }],
  uarts: (spec) => UARTS.slice(0, spec.serial ?? 1),
});

/** Ports of `fake-power`: a write ends, resets, or makes the device throw. */
export const FAKE_POWER = { off: 0x500, reset: 0x501, exit: 0x502, throw: 0x503 } as const;

export const fakePowerPlugin = definePlugin({
  name: "fake-power",
  kind: "device",
  api: { min: 1, max: 1 },
  summary: "Ports that power off, reset, exit, throw",
  module: new URL("./plugins.js", import.meta.url).href,
  attach(machine) {
    machine.ports.claim(
      { first: FAKE_POWER.off, count: 4 },
      {
        write: (port, value) => {
          if (port === FAKE_POWER.off) machine.power.requestPowerOff();
          else if (port === FAKE_POWER.reset) machine.power.requestReset();
          else if (port === FAKE_POWER.exit) machine.power.exit(value);
          else throw new Error(`the guest made this device throw with ${value}`);
        },
      },
    );
    return {
      commands: {
        echo: (argument) => ({ echo: argument }),
        refuse: () => {
          throw new TypeError("this command takes nothing");
        },
        "power-off": () => machine.power.requestPowerOff(),
      },
    };
  },
});

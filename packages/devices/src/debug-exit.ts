// Device plugin `debug-exit`: a port by which a guest ends its machine with an exit code of its own. A write of `v`, in whatever
// width, ends it with code `v & 0xff`; a write of 0 is a clean end with code 0. Reads give all ones.

import { definePlugin, PC_PORTS, Type } from "@ringzero/api";

export const debugExitPlugin = definePlugin({
  name: "debug-exit",
  kind: "device",
  api: { min: 1, max: 1 },
  summary: "A port whose write ends the machine with the guest's exit code",
  module: import.meta.url,
  options: Type.Object(
    {
      port: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xffff, default: PC_PORTS.debugExit, description: "I/O port." })),
    },
    { additionalProperties: false },
  ),
  attach(machine, options) {
    machine.ports.claim(
      { first: options.port ?? PC_PORTS.debugExit, count: 1 },
      { sizes: [1, 2, 4], write: (_port, value) => machine.power.exit(value & 0xff) },
    );
  },
});

export default debugExitPlugin;

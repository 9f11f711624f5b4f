// Device plugin `post-card`: port 80h, where firmware shows its progress and where kernels write to wait a microsecond.
// The second is far more frequent, so by default a write only rings a doorbell, which does not stop the vCPU, and nobody listens.
// With `trace` each code is logged.

import { definePlugin, PC_PORTS, RingzeroError, Type } from "@ringzero/api";

export const postCardPlugin = definePlugin({
  name: "post-card",
  kind: "device",
  api: { min: 1, max: 1 },
  summary: "POST codes at port 80h",
  module: import.meta.url,
  options: Type.Object(
    {
      port: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xffff, default: PC_PORTS.postCode, description: "I/O port." })),
      trace: Type.Optional(Type.Boolean({ default: false, description: "Log every code; each then costs an exit." })),
    },
    { additionalProperties: false },
  ),
  attach(machine, options) {
    const port = options.port ?? PC_PORTS.postCode;
    let last = 0xff;
    machine.ports.claim(
      { first: port, count: 1 },
      {
        read: () => last,
        write: (_port, value) => {
          last = value;
          if (options.trace) machine.log.info({ code: value }, "POST");
        },
      },
    );
    if (options.trace) return;
    try {
      const bell = machine.doorbell({ port, size: 1 }, () => {});
      return { dispose: () => bell.dispose() };
    } catch (error) {
      if (error instanceof RingzeroError && error.code === "VM_UNSUPPORTED") return; // then writes are exits, and right all the same
      throw error;
    }
  },
});

export default postCardPlugin;

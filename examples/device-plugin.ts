// A device plugin: it claims a port from the machine and never sees the backend. Usable as it is:
//   new Ringzero({ plugins: [postCard], … }) and, in a specification, devices: [{ plugin: "@acme/post-card" }]

import { Type } from "@ringzero/api";
import { definePlugin } from "@ringzero/core";

export default definePlugin({
  name: "@acme/post-card",
  kind: "device",
  api: { min: 1, max: 1 },
  summary: "Logs the codes that firmware and kernels write to a port",
  module: import.meta.url, // so that it can live in a machine's device worker
  options: Type.Object({ port: Type.Integer({ default: 0x80, minimum: 0, maximum: 0xffff }) }),
  attach(machine, options) {
    machine.ports.claim(
      { first: options.port, count: 1 },
      {
        read: () => 0xff,
        write: (_port, value) => machine.log.info({ code: value }, "POST"),
      },
    );
  },
});

// A device plugin that measures how long a port read takes from guest to TypeScript and back: a guest that does nothing but read the
// port calls `read` once per round trip. It runs where the machine's devices are hosted and hands its figures over in a file.

import { writeFileSync } from "node:fs";
import { definePlugin, Type } from "@ringzero/api";

export const PROBE_PORT = 0x5f0;

export interface ProbeResult {
  /** Epoch milliseconds of the guest's first read. */
  readonly firstMs: number;
  /** Nanoseconds between one read and the next, in order. */
  readonly roundTripsNs: readonly number[];
}

export const portProbePlugin = definePlugin({
  name: "port-probe",
  kind: "device",
  api: { min: 1, max: 1 },
  summary: "Measures exit round trips, for the benchmark",
  module: import.meta.url,
  options: Type.Object(
    {
      resultPath: Type.String({ description: "JSON file to write." }),
      reads: Type.Integer({ minimum: 2, description: "Round trips to measure; the machine then stops." }),
    },
    { additionalProperties: false },
  ),
  attach(machine, options) {
    const roundTripsNs = new Float64Array(options.reads);
    let count = -1;
    let firstMs = 0;
    let before = 0n;
    machine.ports.claim(
      { first: PROBE_PORT, count: 1 },
      {
        read: () => {
          const now = process.hrtime.bigint();
          if (count < 0) firstMs = performance.timeOrigin + performance.now();
          else if (count < options.reads) roundTripsNs[count] = Number(now - before);
          before = now;
          count += 1;
          if (count === options.reads) {
            const result: ProbeResult = { firstMs, roundTripsNs: [...roundTripsNs] };
            writeFileSync(options.resultPath, JSON.stringify(result));
            machine.power.requestPowerOff();
          }
          return 0;
        },
      },
    );
  },
});

export default portProbePlugin;

// Device plugin `log-port`: a port whose bytes go to a file of the host. Reading it gives E9h, by which firmware that knows the
// port (from Bochs) finds it. Bytes are collected and written when there are many, when the guest has been silent, and at the end.

import { closeSync, openSync, writeSync } from "node:fs";
import { type Claim, definePlugin, PC_PORTS, RingzeroError, Type } from "@ringzero/api";

const PRESENT = 0xe9;
const BUFFER_BYTES = 16 * 1024;
const SILENCE_MS = 50;

export const logPortPlugin = definePlugin({
  name: "log-port",
  kind: "device",
  api: { min: 1, max: 1 },
  summary: "A port that logs bytes to a file",
  module: import.meta.url,
  options: Type.Object(
    {
      path: Type.String({ minLength: 1, description: "File to write; made new, or emptied." }),
      port: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xffff, default: PC_PORTS.logPort, description: "I/O port." })),
    },
    { additionalProperties: false },
  ),
  attach(machine, options) {
    let descriptor: number | null = openLog(machine.id, options.path);
    const buffer = Buffer.alloc(BUFFER_BYTES);
    let filled = 0;
    let timer: Claim | null = null;
    const flush = () => {
      timer?.release();
      timer = null;
      try {
        for (let at = 0; at < filled && descriptor !== null; ) at += writeSync(descriptor, buffer, at, filled - at);
      } catch (error) {
        // A full disk of the host is no reason to end the guest; say so once, and let its bytes go.
        machine.log.error(
          { path: options.path, errno: (error as NodeJS.ErrnoException).code },
          "cannot write the log; its bytes are dropped from now on",
        );
        if (descriptor !== null) closeSync(descriptor);
        descriptor = null;
      }
      filled = 0;
    };
    machine.ports.claim(
      { first: options.port ?? PC_PORTS.logPort, count: 1 },
      {
        read: () => PRESENT,
        write: (_port, value) => {
          buffer[filled++] = value;
          if (filled === BUFFER_BYTES) flush();
          else timer ??= machine.clock.after(SILENCE_MS, flush);
        },
      },
    );
    return {
      pause: flush,
      dispose: () => {
        flush();
        if (descriptor !== null) closeSync(descriptor);
        descriptor = null;
      },
    };
  },
});

function openLog(id: string, path: string): number {
  try {
    return openSync(path, "w");
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code;
    throw new RingzeroError(
      "DEVICE_OPTIONS",
      `${id}: path: cannot open ${path} for writing (${errno}); name a file in an existing, writable folder`,
      {
        cause: error,
      },
    );
  }
}

export default logPortPlugin;

// The host processor itself: the same static binary, with no machine around it, on as many processors as the guests have.

import { readFile } from "node:fs/promises";
import type { Command, Contender, Guest } from "../contender.js";

export class NativeHost implements Contender {
  readonly name = "native";
  readonly kind = "native";

  async describe(): Promise<string> {
    const info = await readFile("/proc/cpuinfo", "utf8");
    return /^model name\s*:\s*(.*)$/m.exec(info)?.[1] ?? "unknown processor";
  }

  async unavailable(): Promise<string | null> {
    return null;
  }

  async refuses(cpus: number): Promise<string | null> {
    const allowed = await allowedProcessors();
    return cpus <= allowed.length ? null : `this host has ${allowed.length} processors`;
  }

  async command({ cpus, program }: Guest): Promise<Command> {
    if (!program) throw new TypeError("the host itself has no machine to boot");
    const processors = (await allowedProcessors()).slice(0, cpus);
    return {
      words: ["taskset", "--cpu-list", processors.join(","), program.binary, ...program.arguments],
      env: { BUSYBOX: program.busybox },
    };
  }
}

/** Numbers of the processors that this process may use, from a list such as `0-3,6`. */
async function allowedProcessors(): Promise<number[]> {
  const status = await readFile("/proc/self/status", "utf8");
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? "0";
  return list.split(",").flatMap((part) => {
    const [first, last = first] = part.split("-").map(Number);
    return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i);
  });
}

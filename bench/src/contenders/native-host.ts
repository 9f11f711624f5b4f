// The host processor itself: the same static binary, with no machine around it, on as many processors as the guests have.

import { readFile } from "node:fs/promises";
import type { Contender, Session, SessionResult } from "../contender.js";
import { runChild } from "./child.js";

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

  async run(session: Session): Promise<SessionResult> {
    const processors = (await allowedProcessors()).slice(0, session.cpus);
    return await runChild(["taskset", "--cpu-list", processors.join(","), session.binary, ...session.programArguments], {
      timeoutMs: session.timeoutMs,
      signal: session.signal,
      env: { BUSYBOX: session.busybox },
    });
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

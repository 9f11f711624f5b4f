// The host processor itself: the same static binary, with no machine around it.

import { readFile } from "node:fs/promises";
import { type Contender, runProcess, type Session, type SessionResult } from "../contender.js";

export class NativeHost implements Contender {
  readonly name = "native";

  async describe(): Promise<string> {
    const info = await readFile("/proc/cpuinfo", "utf8");
    return /^model name\s*:\s*(.*)$/m.exec(info)?.[1] ?? "unknown processor";
  }

  async unavailable(): Promise<string | null> {
    return null;
  }

  async run(session: Session): Promise<SessionResult> {
    const { output } = await runProcess([session.binary, ...session.programArguments], {
      timeoutMs: session.timeoutMs,
      env: { BUSYBOX: session.busybox },
    });
    return { output, bootMs: null };
  }
}

// QEMU with its own translator, one thread of it, on the smallest q35.

import { USERSPACE_BANNER } from "@ringzero/boot";
import { type Contender, runProcess, type Session, type SessionResult } from "../contender.js";

const KERNEL_COMMAND_LINE = "console=ttyS0 quiet panic=-1";

export class QemuTcg implements Contender {
  readonly name: string;

  /** @param program  a qemu-system-x86_64, by name or path */
  constructor(
    readonly program = "qemu-system-x86_64",
    name = "qemu-tcg",
  ) {
    this.name = name;
  }

  async describe(): Promise<string> {
    const { output } = await runProcess([this.program, "--version"], { timeoutMs: 10_000 });
    return `${output.split("\n")[0]!.trim()}, -accel tcg -M q35 -nodefaults -cpu max`;
  }

  async unavailable(): Promise<string | null> {
    try {
      await this.describe();
      return null;
    } catch {
      return `${this.program} is not installed (Debian: apt-get install qemu-system-x86)`;
    }
  }

  async run(session: Session): Promise<SessionResult> {
    const { output, markMs } = await runProcess(
      [
        this.program,
        ...["-accel", "tcg", "-M", "q35", "-nodefaults", "-cpu", "max", "-m", String(session.memoryMiB), "-no-reboot"],
        ...["-display", "none", "-serial", "stdio", "-kernel", session.kernel, "-initrd", session.initrd],
        ...["-append", KERNEL_COMMAND_LINE],
      ],
      { timeoutMs: session.timeoutMs, mark: USERSPACE_BANNER },
    );
    return { output, bootMs: markMs };
  }
}

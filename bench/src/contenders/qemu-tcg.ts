// QEMU with its own translator on the smallest q35. Several versions may take part: the goals count the better one of each row.

import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { readdir } from "node:fs/promises";
import type { Command, Contender, Guest } from "../contender.js";
import { runChild } from "../machines/child.js";

const KERNEL_COMMAND_LINE = "console=ttyS0 quiet panic=-1";

/** Where fetched QEMUs are kept, each in a folder by its version with a program `qemu-system-x86_64`. */
export const QEMU_FOLDER = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "ringzero", "qemu");

/** The programs to compare with when none are named: those in $RINGZERO_QEMU, else the installed one and the fetched ones. */
export async function defaultQemuPrograms(): Promise<string[]> {
  const named = process.env["RINGZERO_QEMU"];
  if (named) return named.split(delimiter).filter((path) => path !== "");
  const fetched = await readdir(QEMU_FOLDER).catch(() => []);
  return [
    "qemu-system-x86_64",
    ...fetched.filter((name) => /^\d/.test(name)).map((name) => join(QEMU_FOLDER, name, "qemu-system-x86_64")),
  ];
}

export class QemuTcg implements Contender {
  readonly kind = "qemu";

  private constructor(
    readonly program: string,
    readonly name: string,
    readonly version: string | null,
  ) {}

  /** @param program  a qemu-system-x86_64, by name or path; its version becomes its name, as in `qemu-7.2` */
  static async find(program: string): Promise<QemuTcg> {
    try {
      const { output } = await runChild({ words: [program, "--version"] }, { timeoutMs: 10_000 });
      const first = output.split("\n")[0]!.trim();
      return new QemuTcg(program, `qemu-${/version (\d+\.\d+)/.exec(first)?.[1] ?? "unknown"}`, first);
    } catch {
      return new QemuTcg(program, `qemu (${program})`, null);
    }
  }

  async describe(): Promise<string> {
    return `${this.version}, -accel tcg,thread=multi -M q35 -nodefaults -cpu max`;
  }

  async unavailable(): Promise<string | null> {
    return this.version === null ? `${this.program} does not run (Debian: apt-get install qemu-system-x86)` : null;
  }

  async refuses(): Promise<string | null> {
    return null;
  }

  async command({ boot, memoryMiB, cpus }: Guest): Promise<Command> {
    const what =
      "firmware" in boot
        ? ["-bios", boot.firmware]
        : ["-kernel", boot.kernel, "-initrd", boot.initrd, "-append", KERNEL_COMMAND_LINE];
    return {
      words: [
        ...[this.program, "-accel", "tcg,thread=multi", "-M", "q35", "-nodefaults", "-cpu", "max", "-smp", String(cpus)],
        ...["-m", String(memoryMiB), "-no-reboot", "-display", "none", "-serial", "stdio", ...what],
      ],
    };
  }
}

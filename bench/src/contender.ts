// Whatever runs the guest programs: the host itself, a Ringzero backend, QEMU. A contender says how it is started; the harness starts it.
// What must stay true: every contender runs the same binary with the same arguments, and is a process that dies when it is killed.

/** What a contender is to run. */
export interface Guest {
  readonly memoryMiB: number;
  /** Virtual processors; the host gives its own process as many of its own. */
  readonly cpus: number;
  /** A kernel and its initramfs, or firmware that fills one page below 4 GiB. */
  readonly boot: { readonly kernel: string; readonly initrd: string } | { readonly firmware: string };
  /** The same without a machine, for the host itself; absent where that makes no sense. */
  readonly program?: { readonly binary: string; readonly arguments: readonly string[]; readonly busybox: string };
}

/** How to start it. Its console is the process's output; the process ends with 0 when the guest powers itself off. */
export interface Command {
  readonly words: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

export type ContenderKind = "native" | "backend" | "qemu";

export interface Contender {
  /** Column title; also the key in JSON. */
  readonly name: string;
  readonly kind: ContenderKind;
  /** For the report: name and version. */
  describe(): Promise<string>;
  /** Null when it can run here, else why not. */
  unavailable(): Promise<string | null>;
  /** Why it cannot run with so many virtual processors; null when it can. */
  refuses(cpus: number): Promise<string | null>;
  command(guest: Guest): Promise<Command>;
}

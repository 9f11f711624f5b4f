// Whatever runs the guest programs: the host itself, a Ringzero backend, QEMU. One session is one boot (or, on the host, one process).
// What must stay true: every contender runs the same binary with the same arguments, and a session leaves nothing behind.

export interface Session {
  /** Path of the static benchmark binary on the host. */
  readonly binary: string;
  /** Path of a static BusyBox on the host. */
  readonly busybox: string;
  readonly kernel: string;
  /** Initramfs that prints "userspace is up" first, runs the binary with `programArguments` and powers off. */
  readonly initrd: string;
  readonly programArguments: readonly string[];
  readonly memoryMiB: number;
  /** Virtual processors; the host gives its own process as many of its own. */
  readonly cpus: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface SessionResult {
  /** All that the guest wrote to its console. */
  readonly output: string;
  /** Process start to the first userspace line; null on the host. */
  readonly bootMs: number | null;
  /** What the guest's clock and the host's said of the same span, in milliseconds; null when the program did not say. */
  readonly clock: { readonly guestMs: number; readonly hostMs: number } | null;
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
  /** @throws Error with the last of its output when it fails or takes too long */
  run(session: Session): Promise<SessionResult>;
}

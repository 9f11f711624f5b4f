// A backend's addon as TypeScript sees it. The class itself is binding/vm_object.h, compiled into each addon; the numbers here are
// those of binding/ and shared/layout.h.

/** First argument of the dispatch callback. */
export const Happening = { exit: 1, doorbell: 2, uart: 3, command: 4, ready: 5, died: 6 } as const;

/** Operations of the command mailbox. */
export const Command = {
  run: 1,
  pause: 2,
  reset: 3,
  getRegisters: 4,
  setRegisters: 5,
  saveState: 6,
  loadState: 7,
  counters: 8,
  trackDirty: 9,
  takeDirty: 10,
  debug: 11,
  listing: 12,
  testCrash: 100,
} as const;
export type CommandCode = (typeof Command)[keyof typeof Command];

/** How the engine answered a command. */
export const CommandStatus = { ok: 0, unsupported: 1, busy: 2, badArgument: 3, tooLarge: 4, failed: 5 } as const;

/** What every addon takes; a backend adds what its engine needs to start. */
export interface NativeVmOptions {
  readonly name: string;
  readonly cpuProfile: string;
  /** Lines of `name=value\n`. */
  readonly options: string;
  readonly vcpus: number;
  /** Guest RAM that exists already, as `shareRam` gave it; 0: make it. */
  readonly ramFd: number;
  readonly ranges: readonly { readonly base: number; readonly sizeBytes: number; readonly readOnly: boolean }[];
  readonly uarts: readonly { readonly port: number; readonly irq: number }[];
  /** How long the JavaScript thread waits for the next exit before it returns to its event loop; 0: not at all. */
  readonly lingerNs: number;
  /** Of that, how long it spins (only while the vCPU is on another processor). */
  readonly spinNs: number;
  /** How long a vCPU spins for a reply (only while the JavaScript thread attends on another processor). */
  readonly engineSpinNs: number;
}

export interface EngineEnd {
  /** What an engine without a process of its own says of its end; else empty. */
  readonly reason: string;
  /** 0: none. */
  readonly signal: number;
  /** -1: unknown, the embedder ignores SIGCHLD, or the engine was no process. */
  readonly exitCode: number;
  readonly flightRecorder: string;
}

/** One machine of the addon. Every method is quick and, after `close`, does nothing. */
export interface NativeVm {
  /** The exit being served: see exit-record.ts. */
  readonly record: ArrayBuffer;
  /** Process id of the engine; 0 when it has none of its own. */
  readonly pid: number;
  ram(offset: number, sizeBytes: number): ArrayBuffer;
  touched(at: number, sizeBytes: number): void;
  setLine(gsi: number, level: number): void;
  msi(at: number, data: number): void;
  /** At most one outstanding; false when closed or too long. */
  command(op: number, vcpu: number, data?: Uint8Array): boolean;
  takeReply(): { readonly status: number; readonly bytes: Uint8Array } | undefined;
  setDoorbell(slot: number, mmio: number, size: number, at: number, matchValue: number, value: number): void;
  clearDoorbell(slot: number): void;
  uartRead(index: number, into: Uint8Array): number;
  uartWrite(index: number, bytes: Uint8Array): number;
  /** Input that the guest's UART has not taken. Only while paused. */
  uartReclaim(index: number): Uint8Array;
  /** The descriptor of guest RAM, open until `close`. */
  shareRam(): number;
  /** End the engine, in whatever state. */
  kill(): void;
  /** How the engine ended, or undefined while it lives. */
  status(): EngineEnd | undefined;
  /** Whether this machine keeps the event loop from ending. */
  keepAlive(alive: number): void;
  /** Kill, join, free; with `keepMemory` 1, guest RAM stays as it is for other holders, and every buffer over it is detached. Idempotent. */
  close(keepMemory: number): void;
  /** Overwrite the control area; for the tests of the host's suspicion. */
  scribble(offset: number, bytes: Uint8Array): void;
}

export interface NativeAddon {
  readonly NativeVm: new (options: NativeVmOptions, dispatch: (what: number, argument: number) => void) => NativeVm;
}

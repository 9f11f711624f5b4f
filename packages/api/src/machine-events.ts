// What an embedder hears from a machine: its states, its exit, and its mishaps, all as plain data.
// What must stay true: everything here survives structured clone and JSON.

/** `stopped` is final for a run: `start` after it boots the machine afresh. `crashed` and `disposed` are final for good. */
export type MachineState = "created" | "starting" | "running" | "paused" | "stopping" | "stopped" | "crashed" | "disposed";

/** Why a machine stopped running. */
export type MachineExit =
  | { readonly reason: "powered-off" }
  /** The guest wrote `code` (0..255) to a device that ends the machine with a code. */
  | { readonly reason: "debug-exit"; readonly code: number }
  | { readonly reason: "triple-fault"; readonly vcpu: number }
  /** The engine, the device host or an invariant of ours failed. */
  | { readonly reason: "crashed"; readonly message: string; readonly flightRecorder: string }
  /** A device plugin threw. */
  | { readonly reason: "device-error"; readonly device: string; readonly message: string }
  /** The embedder stopped it. */
  | { readonly reason: "stopped" }
  /** It ran longer than it was allowed to. */
  | { readonly reason: "timeout"; readonly afterMs: number };

/** Machine events by name, with what their listeners get. */
export interface MachineEvents {
  state: { readonly state: MachineState; readonly previous: MachineState };
  /** Exactly once per run. */
  exit: MachineExit;
  /** Output of the serial port `port`; only when somebody listens. Bytes, not text: a character may be split between two. */
  console: { readonly port: number; readonly bytes: Uint8Array };
  /** The guest asked for a reset and got it. */
  reset: { readonly cause: "guest" | "embedder" };
  /** The machine runs on another backend now, `pausedMs` milliseconds after it stopped on the one before. */
  moved: { readonly from: string; readonly to: string; readonly pausedMs: number };
  crashed: {
    readonly reason: string;
    readonly signal: string | null;
    readonly exitCode: number | null;
    /** What the engine did last, as text; empty when there is none. */
    readonly flightRecorder: string;
  };
  "device-error": { readonly device: string; readonly message: string; readonly stack: string };
  log: LogRecord;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface LogRecord {
  readonly level: LogLevel;
  /** The device or part that speaks. */
  readonly source: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

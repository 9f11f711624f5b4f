// Messages between a machine's handle and the worker that hosts its devices, and errors as they travel in them.

import { type ErrorCode, RingzeroError, type SpecProblem } from "@ringzero/api";
import type { HostEvent } from "./machine-plan.js";

/** `prepare` loads plugins ahead of use, `build` makes the machine; the others are operations of MachineHost and come after it. */
export type HostCall =
  | "prepare"
  | "build"
  | "start"
  | "pause"
  | "resume"
  | "reset"
  | "stop"
  | "dispose"
  | "writeConsole"
  | "grantConsole"
  | "counters"
  | "listing"
  | "command"
  | "moveTo";

/** Id of a request that is not answered. */
export const NO_ANSWER = 0;

export interface Request {
  readonly id: number;
  readonly call: HostCall;
  readonly args: readonly unknown[];
}

/** The answer to the request `id`, or an event. */
export type FromWorker =
  | { readonly id: number; readonly error: WireError | null; readonly value?: unknown }
  | { readonly event: HostEvent };

/** What structured clone loses of an error: its class, its code. */
export interface WireError {
  readonly kind: string;
  readonly message: string;
  readonly stack: string;
  readonly code: ErrorCode | null;
  readonly problems: readonly SpecProblem[];
  readonly cause: WireError | null;
}

export function toWire(error: unknown): WireError {
  if (!(error instanceof Error))
    return { kind: "Error", message: String(error), stack: "", code: null, problems: [], cause: null };
  const ours = error instanceof RingzeroError ? error : null;
  return {
    kind: error.name,
    message: error.message,
    stack: error.stack ?? "",
    code: ours?.code ?? null,
    problems: ours?.problems ?? [],
    cause: error.cause === undefined ? null : toWire(error.cause),
  };
}

export function fromWire(wire: WireError): Error {
  const options = wire.cause ? { cause: fromWire(wire.cause) } : {};
  const error = wire.code
    ? new RingzeroError(wire.code, wire.message, { ...options, problems: wire.problems })
    : wire.kind === "RangeError"
      ? new RangeError(wire.message, options)
      : wire.kind === "TypeError"
        ? new TypeError(wire.message, options)
        : new Error(wire.message, options);
  error.stack = wire.stack;
  return error;
}

// The exit status of `ringzero`, as one table: the code uses it, and --help and docs/cli.md print it (a test compares them).
// What must stay true: a guest's own code passes through unchanged, so it may look like one of ours; the last line on
// stderr and the last line of --events say which it was.

import type { MachineExit } from "@ringzero/api";

/** Exit status by what it means. */
export const EXIT_CODES = {
  poweredOff: 0,
  runFailed: 1,
  notStarted: 2,
  timeout: 124,
  backendUnavailable: 125,
  engineCrashed: 126,
  tripleFault: 127,
  hangup: 129,
  interrupted: 130,
  brokenPipe: 141,
  terminated: 143,
} as const;

/** For --help and the docs, in order. */
export const EXIT_CODE_TEXT: readonly (readonly [code: string, meaning: string])[] = [
  ["0", "the guest powered itself off (or wrote 0 to debug-exit)"],
  ["1", "the machine failed while it ran: a device of ours, or the host, e.g. a full disk"],
  ["2", "nothing was started: the command line, the specification or a file it names is wrong"],
  ["124", "the time given by --timeout was over"],
  ["125", "no backend, or not the one asked for, can run this machine on this host"],
  ["126", "the engine crashed; its flight recorder is on stderr"],
  ["127", "the guest triple-faulted"],
  ["129", "ended by SIGHUP: the terminal went away"],
  ["130", "ended from the keyboard: Ctrl-A X, or SIGINT"],
  ["141", "whoever read our output went away (EPIPE)"],
  ["143", "ended by SIGTERM"],
  ["any", "the guest's own code, written to debug-exit: 0..255, unchanged, so it may equal one above"],
];

/** Who asked for a machine to be stopped, when the CLI did. */
export type StopCause = "console" | "SIGINT" | "SIGTERM" | "SIGHUP" | "EPIPE" | "timeout" | "failure";

const STOP_CODES: Readonly<Record<StopCause, number>> = {
  console: EXIT_CODES.interrupted,
  SIGINT: EXIT_CODES.interrupted,
  SIGTERM: EXIT_CODES.terminated,
  SIGHUP: EXIT_CODES.hangup,
  EPIPE: EXIT_CODES.brokenPipe,
  timeout: EXIT_CODES.timeout,
  failure: EXIT_CODES.runFailed,
};

/**
 * The exit status for the end of a machine.
 * @param stopCause  why the CLI stopped it, if it did
 */
export function exitCodeOf(exit: MachineExit, stopCause: StopCause | null): number {
  switch (exit.reason) {
    case "powered-off":
      return EXIT_CODES.poweredOff;
    case "debug-exit":
      return exit.code & 0xff;
    case "triple-fault":
      return EXIT_CODES.tripleFault;
    case "crashed":
      return EXIT_CODES.engineCrashed;
    case "device-error":
      return EXIT_CODES.runFailed;
    case "timeout":
      return EXIT_CODES.timeout;
    case "stopped":
      return stopCause === null ? EXIT_CODES.runFailed : STOP_CODES[stopCause];
    default: {
      const never: never = exit;
      throw new Error(`unknown end of a machine: ${JSON.stringify(never)}`);
    }
  }
}

/** One sentence for a person about the end of a machine. */
export function describeExit(exit: MachineExit, stopCause: StopCause | null): string {
  switch (exit.reason) {
    case "powered-off":
      return "the guest powered off";
    case "debug-exit":
      return `the guest ended the machine with its own code ${exit.code} (debug-exit)`;
    case "triple-fault":
      return `the guest triple-faulted on processor ${exit.vcpu}: an exception could not be delivered, nor could the double fault`;
    case "crashed":
      return `the engine crashed: ${exit.message}`;
    case "device-error":
      return `the device ${exit.device} failed: ${exit.message}`;
    case "timeout":
      return `the time was over: stopped after ${(exit.afterMs / 1000).toFixed(1)} s`;
    case "stopped":
      return stopCause === null ? "the machine was stopped" : `stopped by ${STOP_TEXT[stopCause]}`;
    default: {
      const never: never = exit;
      throw new Error(`unknown end of a machine: ${JSON.stringify(never)}`);
    }
  }
}

const STOP_TEXT: Readonly<Record<StopCause, string>> = {
  console: "Ctrl-A X at the console",
  SIGINT: "SIGINT",
  SIGTERM: "SIGTERM",
  SIGHUP: "SIGHUP",
  EPIPE: "the end of whoever read the output",
  timeout: "--timeout",
  failure: "a failure of the host",
};

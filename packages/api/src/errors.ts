// Every error that Ringzero reports to a program: one catalogue, one class.
// What must stay true: codes are semver-stable and each is thrown somewhere (a test checks both docs/errors.md and the use);
// messages are for people and may change. A caller's mistake is a TypeError or RangeError instead, and has no code.

/** Code -> what it means. docs/errors.md is generated from this. */
export const ERROR_CODES = {
  VM_UNSUPPORTED: "the backend, or this version, does not offer what was asked for",
  VM_NOT_OPEN: "the machine, VM, disk or network link is closed or closing",
  VM_VCPU_BUSY: "the vCPU is running; pause the machine first",
  VM_HOST_FAILURE: "the host refused memory, a process or a descriptor; the message names the call and the errno",
  VM_PLUGIN_FAILED: "a plugin threw while the machine was being made; see `cause`",
  VM_CRASHED: "the engine or the device host died; the event `crashed` has the flight recorder",
  SPEC_INVALID: "the machine specification has problems; all of them are in `problems`",
  SPEC_UNREADABLE: "the file named as a machine specification cannot be read or is not JSON",
  STATE_CONFLICT: "the machine is in a state in which this cannot be done",
  BACKEND_UNKNOWN: "no backend of this name is registered or installed",
  BACKEND_UNAVAILABLE: "no backend can run this machine on this host; the message has each one's reason",
  MOVE_TIMEOUT: "what had to answer for the machine to move did not in time; the machine goes on where it was",
  PLUGIN_UNKNOWN: "no plugin of this name is registered or installed",
  PLUGIN_API_RANGE: "the plugin was made for another range of the plugin API",
  PLUGIN_DUPLICATE: "two plugins have the same name and kind",
  PLUGIN_LOAD_FAILED: "a plugin's package or module cannot be loaded, or exports no plugin; see `cause`",
  BUS_OVERLAP: "two devices claim the same port or address; the message names both",
  CONSOLE_TIMEOUT: "what was waited for did not appear on the console in time",
  CONSOLE_CLOSED: "the console ended before what was waited for appeared",
  IMAGE_FETCH_FAILED:
    "the kernel and BusyBox cannot be had through the package client; the message says which two files to pass instead",
  BOOT_FILE_MISSING: "a file that the machine boots from does not exist",
  BOOT_FILE_UNREADABLE: "a file that the machine boots from cannot be read",
  BOOT_FILE_INVALID: "a file that the machine boots from is not what the specification says it is",
  BOOT_FILE_TRUNCATED: "a file that the machine boots from ends too early",
  BOOT_UNSUPPORTED: "the kernel needs a way of booting that is not offered",
  BOOT_NO_ROOM: "what is to be loaded does not fit into the machine's memory",
  BOOT_COMMAND_LINE: "the kernel command line is too long or holds a zero byte",
  DEVICE_OPTIONS: "a device cannot work with the options given to it, or with this machine",
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** One thing that is wrong with a machine specification. */
export interface SpecProblem {
  /** Where: `cpus`, `disks[0].disk.path`; empty for the whole. */
  readonly path: string;
  readonly code: SpecProblemCode;
  /** What is wrong and what to do about it. */
  readonly message: string;
}

/** Problem code -> what it means. Semver-stable like the error codes. */
export const SPEC_PROBLEM_CODES = {
  "wrong-type": "the value has another type than the schema says",
  "out-of-range": "a number or size is too small or too large",
  missing: "a required field is absent",
  "unknown-field": "the field does not exist; often a spelling mistake",
  "bad-value": "the value is not one of those possible here",
  "bad-size": "the text is not a size such as 512MiB",
  "duplicate-id": "two parts of the machine have the same id",
  "unknown-plugin": "no plugin of this name is registered or installed",
  "plugin-api": "the plugin was made for another range of the plugin API",
  "plugin-load": "the plugin cannot be loaded",
  "unknown-backend": "no backend of this name is registered or installed",
  "backend-unavailable": "no backend can run the machine on this host",
  "over-capability": "the backend cannot do this, or not this much of it",
  "file-missing": "a file that is named does not exist",
  "file-unreadable": "a file that is named cannot be read, or is no file",
  "not-serialisable": "the value cannot be handed to a worker",
  "not-yet": "this version cannot do it yet",
} as const;

export type SpecProblemCode = keyof typeof SPEC_PROBLEM_CODES;

/** An error of the world or of the moment, as opposed to one of the caller. */
export class RingzeroError extends Error {
  override readonly name = "RingzeroError";
  /** All problems, for `SPEC_INVALID`; else empty. */
  readonly problems: readonly SpecProblem[];

  /**
   * @param code     stable; compare with this, not with the message
   * @param message  what was tried, with what, and what to do next
   */
  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions & { readonly problems?: readonly SpecProblem[] },
  ) {
    super(message, options);
    this.problems = options?.problems ?? [];
  }
}

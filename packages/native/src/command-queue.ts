// Serialises commands to one engine: the mailbox holds one at a time. Every promise settles, at the latest when the engine
// dies or the machine is disposed.

import { RingzeroError } from "@ringzero/api";
import { type CommandCode, CommandStatus, type NativeVm } from "./native-vm.js";

interface Pending {
  readonly what: string;
  readonly op: CommandCode;
  readonly vcpu: number;
  readonly data: Uint8Array | undefined;
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

export class CommandQueue {
  readonly #native: NativeVm;
  readonly #changed: () => void;
  readonly #waiting: Pending[] = [];
  #current: Pending | undefined;
  #ended: Error | undefined;

  /** @param changed  called whenever `busy` may have changed */
  constructor(native: NativeVm, changed: () => void) {
    this.#native = native;
    this.#changed = changed;
  }

  get busy(): boolean {
    return this.#current !== undefined;
  }

  /**
   * @param what  for error messages: what the caller wanted
   * @returns the reply's bytes
   * @throws RingzeroError `VM_NOT_OPEN`, `VM_CRASHED`, `VM_VCPU_BUSY`, `VM_UNSUPPORTED` or `VM_HOST_FAILURE`
   */
  post(what: string, op: CommandCode, vcpu = 0, data?: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended);
        return;
      }
      this.#waiting.push({ what, op, vcpu, data, resolve, reject });
      this.#next();
    });
  }

  /** The engine answered. */
  answered(): void {
    const current = this.#current;
    const reply = this.#native.takeReply();
    if (current === undefined || reply === undefined) return; // rung without an answer: an engine that misbehaves
    this.#current = undefined;
    if (reply.status === CommandStatus.ok)
      current.resolve(new Uint8Array(reply.bytes)); // not the Buffer: its slice() does not copy
    else current.reject(refusal(current.what, reply.status, Buffer.from(reply.bytes).toString("utf8")));
    this.#next();
    this.#changed();
  }

  /** No further answer will come: reject everything with `error`, also what is posted later. */
  end(error: Error): void {
    this.#ended ??= error;
    const lost = this.#waiting.splice(0);
    if (this.#current !== undefined) lost.unshift(this.#current);
    this.#current = undefined;
    for (const pending of lost) pending.reject(error);
    this.#changed();
  }

  #next(): void {
    if (this.#current !== undefined) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#current = next;
    if (!this.#native.command(next.op, next.vcpu, next.data)) {
      this.#current = undefined;
      next.reject(refusal(next.what, CommandStatus.tooLarge));
      this.#next();
      return;
    }
    this.#changed();
  }
}

/** @param why  the engine's own words, where it gave any */
function refusal(what: string, status: number, why = ""): RingzeroError {
  switch (status) {
    case CommandStatus.busy:
      return new RingzeroError("VM_VCPU_BUSY", `cannot ${what}: the vCPUs are running; pause the machine first`);
    case CommandStatus.unsupported:
      return new RingzeroError("VM_UNSUPPORTED", `cannot ${what}: this build of the engine does not support it`);
    case CommandStatus.badArgument:
      return new RingzeroError(
        "VM_UNSUPPORTED",
        `cannot ${what}: ${why !== "" ? why : "the engine refused the values as impossible"}`,
      );
    case CommandStatus.tooLarge:
      return new RingzeroError("VM_HOST_FAILURE", `cannot ${what}: more data than the engine's transfer area holds`);
    default:
      return new RingzeroError("VM_HOST_FAILURE", `cannot ${what}: ${why !== "" ? why : "the engine failed"}`);
  }
}

// Decodes the addon's exit record into the VmExit union and writes the reply: the only file that knows the record's bytes
// (binding/vm_core.h, ExitRecord). The native side has checked kinds, sizes and ranges.

import type { ExitHandler, VmExit } from "@ringzero/api";

const KIND = 0;
const VCPU = 1;
const SIZE = 2;
const ADDRESS_LOW = 4;
const ADDRESS_HIGH = 5;
const VALUE_LOW = 6;
const VALUE_HIGH = 7;
const REPLY_LOW = 8;
const REPLY_HIGH = 9;
const WORD = 2 ** 32;

/** View of one machine's exit record. Valid only during the dispatch callback. */
export class ExitRecord {
  readonly #words: Uint32Array;

  constructor(buffer: ArrayBuffer) {
    this.#words = new Uint32Array(buffer);
  }

  /** Have `handler` serve the exit and store what it returned for a read. Throws what it throws; the reply is then all ones. */
  serve(handler: ExitHandler): void {
    const words = this.#words;
    const reply = handler(this.#decode());
    if (typeof reply === "number") {
      words[REPLY_LOW] = reply;
      words[REPLY_HIGH] = reply >= 0 ? Math.floor(reply / WORD) : -1;
    } else if (typeof reply === "bigint") {
      words[REPLY_LOW] = Number(BigInt.asUintN(32, reply));
      words[REPLY_HIGH] = Number(BigInt.asUintN(32, reply >> 32n));
    }
  }

  #decode(): VmExit {
    const words = this.#words;
    const vcpu = words[VCPU]!;
    const size = words[SIZE]! as 1 | 2 | 4 | 8;
    const low = words[ADDRESS_LOW]!;
    switch (words[KIND]) {
      case 1:
        return { kind: "port-in", vcpu, port: low, size: size as 1 | 2 | 4 };
      case 2:
        return { kind: "port-out", vcpu, port: low, size: size as 1 | 2 | 4, value: words[VALUE_LOW]! };
      case 3:
        return { kind: "mmio-read", vcpu, at: words[ADDRESS_HIGH]! * WORD + low, size };
      case 4:
        return { kind: "mmio-write", vcpu, at: words[ADDRESS_HIGH]! * WORD + low, size, value: this.#value() };
      case 5:
        return { kind: "shutdown", vcpu, cause: "triple-fault" };
      case 6:
        return { kind: "shutdown", vcpu, cause: "init" };
      case 7:
        return { kind: "debug", vcpu, rip: (BigInt(words[ADDRESS_HIGH]!) << 32n) | BigInt(low) };
      default:
        throw new Error(`exit kind ${words[KIND]} is unknown: addon and package are of different versions, rebuild both`);
    }
  }

  #value(): bigint {
    const high = this.#words[VALUE_HIGH]!;
    const low = BigInt(this.#words[VALUE_LOW]!);
    return high === 0 ? low : (BigInt(high) << 32n) | low;
  }
}

// What every way of booting ends in: bytes to put into guest memory, and the processor state at the guest's first instruction.
// Made by a boot plugin before any machine exists, so that a bad file never leaves half a machine; core copies it in.
// What must stay true: it can be structured-cloned to a worker, and nothing in it names a backend.

import type { MemoryRange, Registers } from "./backend.js";
import type { GuestAddress } from "./memory.js";

/** One stretch of bytes to copy into guest memory before the machine starts, and again at each reset. */
export interface LoadRange {
  /** First byte. */
  readonly at: GuestAddress;
  readonly bytes: Uint8Array;
  /** For messages and traces: "kernel", "initrd", "acpi tables" … */
  readonly what: string;
}

/** A machine about to start, as far as a boot loader cares. */
export interface MachineShape {
  /** RAM in bytes, a multiple of 4096. */
  readonly memoryBytes: number;
  /** Number of processors, at least 1. */
  readonly cpus: number;
  /** Serial ports, for the tables that a guest reads. */
  readonly uarts?: readonly { readonly port: number; readonly irq: number }[];
}

export interface BootImage {
  /** In the order in which they are to be copied. They lie in the machine's RAM or in `rom`, and never overlap. */
  readonly ranges: readonly LoadRange[];
  /** Guest-read-only ranges that the machine must have besides its RAM. */
  readonly rom: readonly MemoryRange[];
  /** State of processor 0 at its first instruction. The others wait for INIT and SIPI. */
  readonly registers: Registers;
}

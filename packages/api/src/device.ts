// What a device plugin sees of the machine that it is built into: buses, interrupt lines, memory, time, power. No backend, no container.
// What must stay true: everything here is called on the thread that hosts the machine's devices, and whatever a device claims is
// released by the host when the machine goes, last claim first.

import type { Doorbell, DoorbellMatch, Uart } from "./backend.js";
import type { GuestAddress, GuestMemory } from "./memory.js";

export interface PortRange {
  /** First port, 0..0xffff. */
  readonly first: number;
  readonly count: number;
}

/**
 * Serves I/O ports. `port` is the absolute number. An access wider than 1 byte that the device lists in `sizes` comes whole;
 * any other is split into bytes, lowest port first. An absent `read` reads as all ones, an absent `write` is ignored.
 */
export interface PortHandler {
  read?(port: number, size: 1 | 2 | 4): number;
  write?(port: number, value: number, size: 1 | 2 | 4): void;
  /** Access widths that the handler takes whole; default: only 1. */
  readonly sizes?: readonly (1 | 2 | 4)[];
}

export interface MmioRange {
  /** First byte. */
  readonly at: GuestAddress;
  readonly sizeBytes: number;
}

/**
 * Serves a range of guest-physical addresses. `offset` counts from the start of the range. Accesses come whole at widths listed in
 * `sizes` (default: 1, 2 and 4), wider ones are split into the largest listed, lowest address first; narrower ones than all
 * listed read the enclosing unit and are cut out of it, and narrower writes are ignored.
 */
export interface MmioHandler {
  read?(offset: number, size: 1 | 2 | 4 | 8): number | bigint;
  write?(offset: number, value: bigint, size: 1 | 2 | 4 | 8): void;
  readonly sizes?: readonly (1 | 2 | 4 | 8)[];
}

/** A claim on a bus, a line or a timer; released by the host at the latest when the machine goes. */
export interface Claim {
  /** Idempotent. */
  release(): void;
}

export interface PortBus {
  /** @throws RingzeroError `BUS_OVERLAP` naming both owners @throws RangeError outside 0..0xffff */
  claim(range: PortRange, handler: PortHandler): Claim;
}

export interface MmioBus {
  /** @throws RingzeroError `BUS_OVERLAP` naming both owners, also when the range touches RAM @throws RangeError when empty */
  claim(range: MmioRange, handler: MmioHandler): Claim;
}

/** One interrupt input. Lines that several devices share are asserted while any of them asserts. */
export interface InterruptLine {
  readonly gsi: number;
  set(asserted: boolean): void;
  /** Assert and deassert: one edge. */
  pulse(): void;
}

export interface Interrupts {
  /** @param gsi  0..23: ISA lines 0..15 and IOAPIC inputs */
  line(gsi: number): InterruptLine;
  /** A message-signalled interrupt. @param at  0xFEE00000..0xFEEFFFFF */
  msi(at: number, data: number): void;
}

/** Time, in a form that tests can replace. */
export interface Clock {
  /** Monotonic. */
  nowNs(): bigint;
  /** Wall clock, milliseconds since the epoch. */
  wallMs(): number;
  /** Call once after `delayMs` milliseconds; never early. */
  after(delayMs: number, callback: () => void): Claim;
}

export interface Logger {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** What a device may ask of the machine as a whole. Each takes effect between two instructions of the guest. */
export interface PowerControl {
  /** Stop the machine as powered off by its guest. */
  requestPowerOff(): void;
  /** Reset processors and devices, load the boot image again, and go on. */
  requestReset(): void;
  /** Stop the machine with a code of the guest's, 0..255. */
  exit(code: number): void;
}

/** The machine, as a device sees it. */
export interface MachineContext {
  readonly machine: { readonly name: string; readonly cpus: number; readonly memoryBytes: number };
  /** This device's id in the machine; prefixes its log lines and errors. */
  readonly id: string;
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  readonly interrupts: Interrupts;
  /**
   * Take views anew after `resume`: the machine may be on another backend then, and views that were taken before are empty. Host I/O into
   * a view has ended when `pause` resolves.
   */
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly power: PowerControl;
  /** The serial ports that the backend serves natively, COM1 first. */
  readonly uarts: readonly Uart[];
  /** Aborted when the machine goes. */
  readonly signal: AbortSignal;
  /** A guest write that rings without stopping the vCPU. @throws RingzeroError `VM_UNSUPPORTED` */
  doorbell(match: DoorbellMatch, ring: () => void): Doorbell;
}

/** What `attach` may return: the parts of a device's life that have something to do. */
export interface AttachedDevice {
  /** Back to power-on state. Claims stay. */
  reset?(): void;
  /** The guest stopped running, or goes on: hold timers and host I/O still in between. */
  pause?(): void | Promise<void>;
  resume?(): void | Promise<void>;
  /** The device's state as JSON-able data with its own version. Only while paused. */
  saveState?(): Promise<DeviceState>;
  /** @throws RingzeroError `VM_UNSUPPORTED` for a version that it does not know */
  loadState?(state: DeviceState): Promise<void>;
  /** What the embedder may ask of the device while the machine is up, by name: press a key, press the power button. Throws TypeError for a bad argument. */
  readonly commands?: Readonly<Record<string, (argument?: unknown) => unknown>>;
  /** Let go of what the host gave: files, sockets. Claims are released by the machine. */
  dispose?(): void | Promise<void>;
}

export interface DeviceState {
  readonly version: number;
  readonly data: unknown;
}

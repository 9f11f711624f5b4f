// A checked specification with everything chosen and every default filled in: what a device host needs to build the machine.
// What must stay true: it can be structured-cloned; plugins are named, never held.

import type { BootSource, MachineExit, MachineEvents, Plugin, PluginKind } from "@ringzero/api";

/** A plugin by name, and the module to import it from where the registry is out of reach. */
export interface PluginLink {
  readonly kind: PluginKind;
  readonly name: string;
  /** URL of the module that exports it; null for an object with closures, which works inline only. */
  readonly module: string | null;
}

export interface PlannedDevice {
  readonly id: string;
  readonly plugin: PluginLink;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface MachinePlan {
  readonly name: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly cpuProfile: string;
  readonly uarts: readonly { readonly port: number; readonly irq: number }[];
  readonly engine: Readonly<Record<string, string | number | boolean>>;
  readonly boot: BootSource;
  readonly bootPlugin: PluginLink;
  readonly backend: PluginLink;
  readonly devices: readonly PlannedDevice[];
}

/** Where a machine is to move, checked against what both backends claim. */
export interface MoveOrder {
  readonly backend: PluginLink;
  /** Engine options of the new backend. */
  readonly engine: Readonly<Record<string, string | number | boolean>>;
  /** Both backends can share guest memory; else it is copied while the guest stands still. */
  readonly shareMemory: boolean;
  /** How long each thing may take that a backend or a device must answer, milliseconds. */
  readonly timeoutMs: number;
}

export interface MachineMoved {
  /** For how long the guest stood still, milliseconds. */
  readonly pausedMs: number;
}

/** Where a device host finds the plugins of a plan. @throws RingzeroError `PLUGIN_LOAD_FAILED` */
export type PluginSource = (link: PluginLink) => Promise<Plugin>;

/** What a device host tells its machine. */
export type HostEvent =
  | { readonly kind: "exit"; readonly exit: MachineExit }
  | { readonly kind: "console"; readonly port: number; readonly bytes: Uint8Array }
  | { readonly kind: "reset" }
  | { readonly kind: "crashed"; readonly crash: MachineEvents["crashed"] }
  | { readonly kind: "device-error"; readonly failure: MachineEvents["device-error"] }
  | { readonly kind: "log"; readonly record: MachineEvents["log"] };

/** A machine's devices and VM, wherever they live. Called by Machine only, one operation at a time except the console ones. */
export interface MachineHost {
  /** Load the boot image, set the registers, run. */
  start(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Power-on state with the boot image loaded; runs on if it ran. */
  reset(): Promise<void>;
  /** Halt the VM; nothing of the guest runs when this resolves. No `exit` event follows. */
  stop(): Promise<void>;
  /** Resolves when the guest's serial port has taken every byte, or the machine stopped. */
  writeConsole(port: number, bytes: Uint8Array): Promise<void>;
  /** So many more bytes of output may be sent. */
  grantConsole(port: number, bytes: number): void;
  /** Have a device do one of its `commands`. @throws RangeError when there is no such device or command @throws what the command throws */
  command(device: string, name: string, argument: unknown): Promise<unknown>;
  /**
   * Put the guest onto another backend; it runs on if it ran.
   * @throws RingzeroError and goes on where it was
   */
  moveTo(order: MoveOrder): Promise<MachineMoved>;
  /** @throws RingzeroError `VM_UNSUPPORTED` when the backend has nothing to show */
  counters(): Promise<Readonly<Record<string, number>>>;
  /** @throws RingzeroError `VM_UNSUPPORTED` when the backend has nothing to show, `VM_VCPU_BUSY` unless halted */
  listing(rip: bigint): Promise<string>;
  dispose(): Promise<void>;
}

/** Bytes of console output that may be under way before the reader grants more. */
export const CONSOLE_WINDOW_BYTES = 256 * 1024;

// The contract between the SDK and an engine: Backend -> Vm -> vCPUs, memory, interrupts, doorbells.
// Implemented by backends/*, called only by core (in whichever thread or process hosts the machine's devices).
// A guest leaves the engine for port I/O, MMIO, shutdown and debug; nothing else reaches TypeScript.

import type { MachineStateBytes } from "./state.js";
import type { GuestAddress, GuestMemory } from "./memory.js";

/** Why a vCPU came back to the host. A guest may cause any of these; none is an error. */
export type VmExit =
  | { readonly kind: "port-in"; readonly vcpu: number; readonly port: number; readonly size: 1 | 2 | 4 }
  | { readonly kind: "port-out"; readonly vcpu: number; readonly port: number; readonly size: 1 | 2 | 4; readonly value: number }
  | { readonly kind: "mmio-read"; readonly vcpu: number; readonly at: GuestAddress; readonly size: 1 | 2 | 4 | 8 }
  | {
      readonly kind: "mmio-write";
      readonly vcpu: number;
      readonly at: GuestAddress;
      readonly size: 1 | 2 | 4 | 8;
      readonly value: bigint;
    }
  | { readonly kind: "shutdown"; readonly vcpu: number; readonly cause: "triple-fault" | "init" }
  | { readonly kind: "debug"; readonly vcpu: number; readonly rip: bigint };

/**
 * Serves one exit, synchronously, on the thread that hosts the devices.
 * For `port-in` return the value as a number, for `mmio-read` a bigint (or number); anything else is ignored.
 */
export type ExitHandler = (exit: VmExit) => number | bigint | void;

/** What an engine can do; what is absent is refused with `VM_UNSUPPORTED` before any effect. */
export interface BackendCapabilities {
  readonly maxVcpus: number;
  readonly maxMemoryBytes: number;
  readonly cpuProfiles: readonly string[];
  readonly saveState: boolean;
  /** `Vm.trackDirty` and `Vm.takeDirty`. */
  readonly dirtyLog: boolean;
  /** `Vcpu.debug`, and exits of kind `debug`. */
  readonly debug: boolean;
  readonly doorbells: boolean;
  readonly msi: boolean;
  /** `Vm.shareMemory` and `VmConfig.memoryFd`: a machine moves here, and away, without a copy of its memory. */
  readonly memorySharing: boolean;
}

/** What `probe` found out about an engine on this host. */
export interface BackendReport {
  readonly name: string;
  readonly available: boolean;
  /** One sentence for a person: why it is (not) available, and the remedy. */
  readonly reason: string;
  readonly capabilities: BackendCapabilities;
  /** Measured ring-0 speed in guest instructions per second, or null when it was not calibrated. */
  readonly calibratedInstructionsPerSecond: number | null;
  /** How that figure came about, or why there is none; core says so when it measures. */
  readonly calibrationNote?: string;
  /** CPU profiles that this engine gives on other hosts, and why not here, naming the feature that is missing. Default: none. */
  readonly refusedProfiles?: Readonly<Record<string, string>>;
  /**
   * Says that the host's processor itself runs the guest, ring 0 included. `auto` believes it only after measuring: a host may answer
   * every call and emulate ring 0 in software. Default: false.
   */
  readonly claimsHardware?: boolean;
}

export interface MemoryRange {
  readonly at: GuestAddress;
  /** Multiple of 4096. */
  readonly sizeBytes: number;
  /** Guest writes are dropped. */
  readonly readOnly?: boolean;
}

export interface VmConfig {
  /** For logs, process titles and crash reports. */
  readonly name: string;
  readonly vcpus: number;
  /** All guest RAM and ROM, sorted by address; everything else is MMIO. */
  readonly memory: readonly MemoryRange[];
  /**
   * Memory that exists already, as `Vm.shareMemory` of another VM gave it: a memfd, sealed against shrinking, with room for exactly the
   * ranges of `memory` one after the other, each at the next offset that is as far from a multiple of 2 MiB as its address is: a huge page of
   * the host can then be one of the guest's. The backend takes a descriptor of its own; this one stays the caller's. Default: fresh, zero.
   */
  readonly memoryFd?: number;
  readonly cpuProfile: string;
  /** 16550 UARTs served natively; at most 4. */
  readonly uarts: readonly { readonly port: number; readonly irq: number }[];
  /** Engine tuning by name (`noOpt`, `codeCacheBytes`, ...); unknown names are refused. */
  readonly options?: Readonly<Record<string, string | number | boolean>>;
}

export interface Backend {
  readonly name: string;
  /** Cheap (at most about 100 ms), no side effects, never throws. */
  probe(): Promise<BackendReport>;
  /**
   * @throws RingzeroError `VM_UNSUPPORTED` when the config asks for more than `capabilities`
   * @throws RingzeroError `VM_HOST_FAILURE` when the host refuses memory, processes or descriptors, or `memoryFd` is not what it must be
   */
  createVm(config: VmConfig, handler: ExitHandler): Promise<Vm>;
}

/** Engine-level happenings that are not exits. */
export interface VmEvents {
  /** The engine died (its process crashed or was killed): the VM is gone, the host is fine. */
  crashed: {
    readonly reason: string;
    readonly signal: string | null;
    readonly exitCode: number | null;
    readonly flightRecorder: string;
  };
  /** Guest output is waiting on UART `index`; read it with `Uart.read`. */
  "uart-output": { readonly index: number };
}

/** What an engine shows to whoever works on it. Names and texts are its own, and may change with any version. */
export interface VmInspection {
  /** How often things happened since the VM was made, all vCPUs together, by name. Any time. */
  counters(): Promise<Readonly<Record<string, number>>>;
  /** As text: the host code that was made of the guest instruction at `rip`, beside it. Only while paused (`VM_VCPU_BUSY` otherwise). */
  listing(rip: bigint): Promise<string>;
}

export interface Vm {
  /** Absent where an engine has nothing to show. */
  readonly inspection?: VmInspection | undefined;
  readonly memory: GuestMemory;
  readonly vcpus: readonly Vcpu[];
  readonly interrupts: IrqController;
  readonly uarts: readonly Uart[];
  on<K extends keyof VmEvents>(event: K, listener: (event: VmEvents[K]) => void): void;
  /** Let all vCPUs run. Idempotent. */
  run(): void;
  /** Stop all vCPUs between two instructions; resolves when none runs any more. Idempotent. */
  pause(): Promise<void>;
  /** Reset processors, interrupt controllers and timers to power-on state; memory is untouched. Only while paused. */
  reset(): Promise<void>;
  /** @throws RingzeroError `VM_UNSUPPORTED` */
  doorbell(match: DoorbellMatch, ring: () => void): Doorbell;
  /**
   * The whole processor-side state in the common format. Only while paused.
   * @throws RingzeroError `VM_UNSUPPORTED`, `VM_VCPU_BUSY`
   */
  saveState(): Promise<MachineStateBytes>;
  /**
   * Become what the state says. Only while paused.
   * @throws RingzeroError `VM_UNSUPPORTED` for a state that cannot be honoured here: of a newer version, damaged, of another machine, with
   *   registers that this processor lacks. Nothing has changed then
   * @throws RingzeroError `VM_VCPU_BUSY`
   */
  loadState(state: MachineStateBytes): Promise<void>;
  /**
   * The guest's memory, for a second VM that this machine moves into: a descriptor for `VmConfig.memoryFd`. It is this VM's own and open
   * until it is disposed of; nobody else closes it.
   * @throws RingzeroError `VM_UNSUPPORTED`
   */
  shareMemory(): number;
  /**
   * Begin, or cease, to note which pages the guest writes. In any state.
   * @throws RingzeroError `VM_UNSUPPORTED`
   */
  trackDirty(on: boolean): Promise<void>;
  /**
   * Pages that the guest wrote since tracking began or since the last call: whole pages, sorted, adjacent ones as one range. A page that is
   * written while this runs is in this answer or in the next, never in neither. One that the guest read for the first time may be in it too.
   * Writes of the host are not in it.
   * @throws RingzeroError `VM_UNSUPPORTED`, also when nothing is tracked
   */
  takeDirty(): Promise<readonly MemoryRange[]>;
  /**
   * Stop and free everything, in any state; idempotent.
   * @param options.keepMemory  leave the guest's memory as it is, because another VM was made over it. This VM's mapping of it goes at once,
   *   and views that somebody still holds are empty. Default: its pages are given back at once, and such views read as zeros
   */
  dispose(options?: { readonly keepMemory?: boolean }): Promise<void>;
}

/** Where a vCPU leaves the guest with an exit of kind `debug`, before the instruction at its `rip`. */
export interface DebugSettings {
  /** After every instruction. */
  readonly singleStep?: boolean;
  /** At these linear addresses; at most 4. */
  readonly breakpoints?: readonly bigint[];
}

/** One virtual processor. Register access only while the VM is paused (`VM_VCPU_BUSY` otherwise). */
export interface Vcpu {
  readonly index: number;
  getRegisters(): Promise<Registers>;
  setRegisters(registers: Partial<Registers>): Promise<void>;
  /**
   * Replace the debug settings; `{}` ends debugging. The guest's own use of its debug registers may suffer meanwhile. Only while paused.
   * @throws RingzeroError `VM_UNSUPPORTED`
   */
  debug(settings: DebugSettings): Promise<void>;
}

/** Segment register with its descriptor cache. */
export interface SegmentRegister {
  readonly selector: number;
  readonly base: bigint;
  /** Bytes - 1, granularity applied. */
  readonly limit: number;
  /** Descriptor bits 40..47 in 0..7 and 52..55 in 8..11. */
  readonly attributes: number;
}

/** Architectural registers of a vCPU. Names as in the manuals. */
export interface Registers {
  readonly gpr: readonly bigint[]; // 16: RAX RCX RDX RBX RSP RBP RSI RDI R8..R15
  readonly rip: bigint;
  readonly rflags: bigint;
  readonly es: SegmentRegister;
  readonly cs: SegmentRegister;
  readonly ss: SegmentRegister;
  readonly ds: SegmentRegister;
  readonly fs: SegmentRegister;
  readonly gs: SegmentRegister;
  readonly ldtr: SegmentRegister;
  readonly tr: SegmentRegister;
  readonly gdtr: { readonly base: bigint; readonly limit: number };
  readonly idtr: { readonly base: bigint; readonly limit: number };
  readonly cr0: bigint;
  readonly cr2: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly cr8: bigint;
  readonly efer: bigint;
}

/** Interrupt inputs of the machine: 0..15 also reach the PICs, 0..23 the IOAPIC. */
export interface IrqController {
  /** Drive a line. Any time, also while vCPUs run; cheap and asynchronous. */
  setLine(gsi: number, asserted: boolean): void;
  /** Message-signalled interrupt. `at` 0xFEE0_0000..0xFEEF_FFFF. */
  msi(at: number, data: number): void;
}

export type DoorbellMatch =
  | { readonly port: number; readonly size: 1 | 2 | 4; readonly value?: number }
  | { readonly at: GuestAddress; readonly size: 1 | 2 | 4 | 8; readonly value?: number };

/** A write that does not stop the vCPU: it sets a flag and wakes the device's thread. Rings are coalesced. */
export interface Doorbell {
  /** Stop matching; idempotent. */
  dispose(): void;
}

/** Byte rings of a native UART. */
export interface Uart {
  /** Copy waiting output of the guest into `into`; returns the number of bytes, 0 when empty. */
  read(into: Uint8Array): number;
  /** Offer input to the guest; returns how many bytes were taken. */
  write(bytes: Uint8Array): number;
  /** Take back input that the guest has not taken: it belongs to the machine's next VM. Only while paused. */
  reclaim(): Uint8Array;
}

// The registers of a fake guest: held, guarded like real ones, and of no consequence.

import { type Registers, RingzeroError, type Vcpu } from "@ringzero/api";

const EMPTY_SEGMENT = { selector: 0, base: 0n, limit: 0xffff, attributes: 0x93 };

export class FakeVcpu implements Vcpu {
  registers: Registers = fakeRegisters();

  constructor(
    readonly index: number,
    /** The machine that it belongs to: registers are out of reach while that runs. */
    readonly vm: { readonly running: boolean; readonly disposed: boolean; readonly calls: string[] },
  ) {}

  async getRegisters(): Promise<Registers> {
    this.#requirePaused();
    return this.registers;
  }

  async setRegisters(registers: Partial<Registers>): Promise<void> {
    this.vm.calls.push("setRegisters");
    this.#requirePaused();
    this.registers = { ...this.registers, ...registers };
  }

  async debug(): Promise<void> {
    throw new RingzeroError("VM_UNSUPPORTED", "the fake backend has no debug exits");
  }

  #requirePaused(): void {
    if (this.vm.disposed) throw new RingzeroError("VM_NOT_OPEN", "the fake VM is disposed of");
    if (this.vm.running)
      throw new RingzeroError("VM_VCPU_BUSY", "cannot reach the registers of a vCPU that runs; pause it first");
  }
}

/** Registers of nothing in particular, for boot images of fake guests. */
export function fakeRegisters(changes: Partial<Registers> = {}): Registers {
  return {
    gpr: new Array<bigint>(16).fill(0n),
    rip: 0xfff0n,
    rflags: 2n,
    es: EMPTY_SEGMENT,
    cs: EMPTY_SEGMENT,
    ss: EMPTY_SEGMENT,
    ds: EMPTY_SEGMENT,
    fs: EMPTY_SEGMENT,
    gs: EMPTY_SEGMENT,
    ldtr: EMPTY_SEGMENT,
    tr: EMPTY_SEGMENT,
    gdtr: { base: 0n, limit: 0 },
    idtr: { base: 0n, limit: 0 },
    cr0: 0x10n,
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    cr8: 0n,
    efer: 0n,
    ...changes,
  };
}

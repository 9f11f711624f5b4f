// The saved processor-side state of a machine: opaque, versioned bytes; the layout is docs/state-format.md.

/** Identical from every backend: registers, FPU/XSAVE, MSRs, local APIC, IOAPIC, PIC, PIT, UARTs. */
export type MachineStateBytes = Uint8Array;

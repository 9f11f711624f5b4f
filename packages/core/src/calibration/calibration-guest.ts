// The guest that measures an engine: a loop of what kernels do much of in ring 0, and the registers to start it with.
// What must stay true: nothing in it leaves a guest that runs on a processor's virtualization, except the IN between two rounds; and
// whatever emulates ring 0, or translates it, pays for each of its instructions.
// Sources: Intel SDM volume 3, "Instructions That Cause VM Exits Conditionally"; AMD64 manual volume 2, "Intercept Operation".

import type { MemoryRange, Registers, SegmentRegister } from "@ringzero/api";

/** The guest reads, four bytes wide, how often to go round until it asks again; 0 ends it. No device of a PC is here. */
export const CALIBRATION_PORT = 0x5a4;
/** Instructions of one time round. */
export const INSTRUCTIONS_PER_ROUND = 12;

export const CALIBRATION_MEMORY: readonly MemoryRange[] = [{ at: 0, sizeBytes: 0x10_0000 }];
export const CODE_AT = 0x1000;
const DATA_AT = 0x2000;
const STACK_END = 0x4000;

// biome-ignore format: one instruction a line
export const CALIBRATION_CODE = Uint8Array.of(
  0x66, 0xba, 0xa4, 0x05,       // again: mov dx, CALIBRATION_PORT
  0xed,                         //        in eax, dx
  0x89, 0xc1,                   //        mov ecx, eax
  0xe3, 0x15,                   //        jecxz end
  0xe8, 0x13, 0x00, 0x00, 0x00, // round: call leaf
  0x9c,                         //        pushfd
  0xfa,                         //        cli
  0x0f, 0x20, 0xc2,             //        mov edx, cr0
  0x8b, 0x06,                   //        mov eax, [esi]
  0x01, 0x46, 0x04,             //        add [esi + 4], eax
  0x9d,                         //        popfd
  0x49,                         //        dec ecx
  0x75, 0xed,                   //        jnz round
  0xeb, 0xe2,                   //        jmp again
  0xf4,                         // end:   hlt
  0xeb, 0xfd,                   //        jmp end
  0x01, 0xcb,                   // leaf:  add ebx, ecx
  0x89, 0x5e, 0x08,             //        mov [esi + 8], ebx
  0xc3,                         //        ret
);

/** 32-bit protected mode, ring 0, no paging, interrupts off: a state in which every processor with virtualization runs by itself. */
export function calibrationRegisters(): Registers {
  const gpr = new Array<bigint>(16).fill(0n);
  gpr[4] = BigInt(STACK_END);
  gpr[6] = BigInt(DATA_AT);
  const segment = (selector: number, limit: number, attributes: number): SegmentRegister => ({
    selector,
    base: 0n,
    limit,
    attributes,
  });
  const data = segment(0x18, 0xffffffff, 0xc93); // present, read/write, 32-bit, 4 KiB granularity
  return {
    gpr,
    rip: BigInt(CODE_AT),
    rflags: 2n,
    cs: segment(0x10, 0xffffffff, 0xc9b), // present, execute/read, 32-bit, 4 KiB granularity
    ds: data,
    es: data,
    fs: data,
    gs: data,
    ss: data,
    ldtr: segment(0, 0xffff, 0x82),
    tr: segment(0x20, 0x67, 0x8b), // present, busy TSS
    gdtr: { base: 0n, limit: 0 },
    idtr: { base: 0n, limit: 0 },
    cr0: 0x11n, // PE, ET
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    cr8: 0n,
    efer: 0n,
  };
}

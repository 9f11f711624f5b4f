// Pieces of guest programs that set interrupt controllers up as firmware does. They are text, put into the source of a program.

/**
 * The 8259A master with its vectors from 20h.
 * @param masked  its mask: one bit for each input that is off
 */
export function picSetup(masked: number): string {
  return `
      mov al, 0x11
      out 0x20, al
      mov al, 0x20
      out 0x21, al
      mov al, 4
      out 0x21, al
      mov al, 1
      out 0x21, al
      mov al, 0x${masked.toString(16)}
      out 0x21, al`;
}

/** In real mode: non-maskable interrupts go to `handler`, and the local APIC is enabled in software; EDI is its base, ES must reach it. */
export const NMI_SETUP = `
      mov word ptr [2 * 4], offset handler
      mov word ptr [2 * 4 + 2], 0
      mov edi, 0xfee00000
      mov dword ptr es:[edi + 0xf0], 0x1ff`;

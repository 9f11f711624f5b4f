// A native 16550 as the guest sees it: its registers, without an exit. What it carries is in contract/uarts.ts.

import type { GuestCase } from "../guest-case.js";
import { program } from "../program.js";
import { DATA_AT } from "../start-state.js";

export const UART_REGISTER_CASES: readonly GuestCase[] = [
  {
    id: "uarts/registers",
    title: "has the registers of a 16550 at its ports: scratch, divisor, FIFO identification, loopback, and an idle transmitter",
    uses: ["uart"],
    config: { uarts: [{ port: 0x2f8, irq: 3 }] },
    program: program(
      16,
      `
      mov dx, 0x2ff           # scratch
      mov al, 0xa5
      out dx, al
      in al, dx
      mov [0x4000], al
      mov dx, 0x2fb           # LCR: divisor latch
      mov al, 0x83
      out dx, al
      mov dx, 0x2f8
      mov al, 12
      out dx, al
      mov dx, 0x2f9
      mov al, 1
      out dx, al
      mov dx, 0x2f8
      in al, dx
      mov [0x4001], al
      mov dx, 0x2f9
      in al, dx
      mov [0x4002], al
      mov dx, 0x2fb
      mov al, 0x03
      out dx, al
      in al, dx
      mov [0x4003], al
      mov dx, 0x2fa           # FIFOs on: IIR says so
      mov al, 0x01
      out dx, al
      in al, dx
      and al, 0xcf
      mov [0x4004], al
      mov dx, 0x2fd           # LSR: transmitter empty, nothing received
      in al, dx
      mov [0x4005], al
      mov dx, 0x2fc           # loopback
      mov al, 0x10
      out dx, al
      mov dx, 0x2f8
      mov al, 0x42
      out dx, al
      mov dx, 0x2fd
wait: in al, dx
      test al, 1
      jz wait
      mov dx, 0x2f8
      in al, dx
      mov [0x4006], al
      done`,
    ),
    exits: [],
    final: { memory: [{ at: DATA_AT, bytes: [0xa5, 12, 1, 3, 0xc1, 0x60, 0x42] }] },
  },
];

// Native UARTs: bytes of the guest to the host and back without an exit, interrupts by their line, and input that nobody took.

import assert from "node:assert/strict";
import type { VmConfig } from "@ringzero/api";
import type { ContractCase } from "../contract-case.js";
import { PIC_SETUP } from "../cases/interrupts.js";
import { program } from "../program.js";
import type { Actor } from "../stage.js";

const COM1 = { port: 0x3f8, irq: 4 };
const WITH_COM1: Partial<VmConfig> = { uarts: [COM1] };
const OUTPUT_BYTES = 3000; // more than the FIFO, less than any ring

/** Writes 3000 bytes, 0 to 250 over and over, each when the transmitter has room. */
const TALKING = program(
  16,
  `
      mov cx, 3000
      xor bl, bl
next: mov dx, 0x3fd
wait: in al, dx
      test al, 0x20
      jz wait
      mov dx, 0x3f8
      mov al, bl
      out dx, al
      inc bl
      cmp bl, 251
      jne more
      xor bl, bl
more: loop next
      done`,
);
/** Reads bytes as they come, and says each at port 80h. */
const LISTENING = program(
  16,
  `
next: mov dx, 0x3fd
wait: in al, dx
      test al, 1
      jz wait
      mov dx, 0x3f8
      in al, dx
      out 0x80, al
      jmp next`,
);
/** As LISTENING, by interrupts alone: the handler of line 5 is not used, that of line 4 says each byte at port 82h. */
const INTERRUPTED = program(
  16,
  `${PIC_SETUP}
      mov word ptr [0x24 * 4], offset received
      mov word ptr [0x24 * 4 + 2], 0
      mov al, 0xef
      out 0x21, al
      mov dx, 0x3f9           # interrupt when a byte was received
      mov al, 1
      out dx, al
      mov dx, 0x3fc           # OUT2
      mov al, 8
      out dx, al
      mov al, 1
      out 0x80, al
      sti
rest: hlt
      jmp rest
received:
      push ax
      push dx
      mov dx, 0x3f8
      in al, dx
      out 0x82, al
      mov al, 0x20
      out 0x20, al
      pop dx
      pop ax
      iret`,
);
const SILENT = program(16, "jmp .");

/** Everything that the guest wrote so far, as it comes. */
function outputOf({ vm }: Actor): number[] {
  const output: number[] = [];
  const into = new Uint8Array(512);
  vm.on("uart-output", ({ index }) => {
    for (let count = vm.uarts[index]!.read(into); count > 0; count = vm.uarts[index]!.read(into)) {
      output.push(...into.subarray(0, count));
    }
  });
  return output;
}

/** Values of the exits at a port. */
function said({ exits }: Actor, port: number): number[] {
  return exits.flatMap((exit) => (exit.kind === "port-out" && exit.port === port ? [exit.value] : []));
}

export const UART_CASES: readonly ContractCase[] = [
  {
    id: "uarts/output",
    title: "brings every byte that the guest writes to a UART to the host, in order, without an exit",
    uses: ["guest-code", "uart"],
    async run(stage) {
      const actor = await stage.load(TALKING, WITH_COM1);
      const output = outputOf(actor);
      actor.vm.run();
      await stage.until(() => output.length >= OUTPUT_BYTES, "all output came", actor);
      await stage.finish(actor);
      assert.deepEqual(
        output,
        Array.from({ length: OUTPUT_BYTES }, (_, i) => i % 251),
      );
      assert.deepEqual(actor.exits, []);
    },
  },
  {
    id: "uarts/input",
    title: "brings every byte of the host to the guest, in order, and says how many it took where it has no room",
    uses: ["guest-code", "uart"],
    async run(stage) {
      const actor = await stage.load(LISTENING, WITH_COM1);
      const { vm } = actor;
      vm.run();
      const bytes = Uint8Array.from({ length: 500 }, (_, i) => (i * 7) % 256);
      let taken = 0;
      await stage.until(
        () => {
          const now = vm.uarts[0]!.write(bytes.subarray(taken));
          assert.ok(Number.isInteger(now) && now >= 0 && taken + now <= bytes.length, `write took ${now}`);
          taken += now;
          return said(actor, 0x80).length >= bytes.length;
        },
        "the guest had read all input",
        actor,
      );
      assert.deepEqual(said(actor, 0x80), [...bytes]);
    },
  },
  {
    id: "uarts/interrupt",
    title: "interrupts a halted guest by the line of its UART when a byte arrives",
    uses: ["guest-code", "uart", "interrupts"],
    async run(stage) {
      const actor = await stage.load(INTERRUPTED, WITH_COM1);
      const { vm } = actor;
      vm.run();
      await stage.until(() => said(actor, 0x80).length > 0, "the guest was ready", actor);
      for (const byte of [0x41, 0x42, 0x43]) {
        const before = said(actor, 0x82).length;
        vm.uarts[0]!.write(Uint8Array.of(byte));
        await stage.until(() => said(actor, 0x82).length > before, "the guest read the byte", actor);
      }
      assert.deepEqual(said(actor, 0x82), [0x41, 0x42, 0x43]);
    },
  },
  {
    id: "uarts/reclaim",
    title: "gives back input that the guest did not take, the last bytes of what was written, once",
    uses: ["guest-code", "uart"],
    async run(stage) {
      const { vm } = await stage.load(SILENT, WITH_COM1);
      vm.run();
      const bytes = Uint8Array.from({ length: 200 }, (_, i) => i);
      const taken = vm.uarts[0]!.write(bytes);
      assert.ok(taken > 32, `a UART took ${taken} bytes of input`);
      await vm.pause();
      const back = vm.uarts[0]!.reclaim();
      assert.ok(back.length >= taken - 32 && back.length <= taken, `${back.length} of ${taken} bytes came back`);
      assert.deepEqual([...back], [...bytes.subarray(taken - back.length, taken)]);
      assert.equal(vm.uarts[0]!.reclaim().length, 0);
    },
  },
  {
    id: "uarts/config",
    title: "refuses a fifth UART with VM_UNSUPPORTED, and ports and lines that do not exist as a caller's mistake",
    async run(stage) {
      const many = Array.from({ length: 5 }, (_, i) => ({ port: 0x300 + 8 * i, irq: 3 }));
      await assert.rejects(stage.open({ uarts: many }), { code: "VM_UNSUPPORTED" });
      await assert.rejects(stage.open({ uarts: [{ port: 0xfffa, irq: 4 }] }), RangeError);
      await assert.rejects(stage.open({ uarts: [{ port: 0x3f8, irq: 24 }] }), RangeError);
    },
  },
];

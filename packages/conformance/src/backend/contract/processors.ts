// Several vCPUs: start-up by INIT and SIPI, exits of all at once, answers that reach the one that asked.

import assert from "node:assert/strict";
import type { ContractCase } from "../contract-case.js";
import { program, programBytes } from "../program.js";
import { HOLE_AT } from "../start-state.js";

/** Starts the others at 2000h by a broadcast; every vCPU then reads port 510h and its device, and says both. */
const TRAMPOLINE_AT = 0x2000;
const WORK = `
      mov dx, 0x510
      in eax, dx
      mov ebx, eax
      mov dx, 0x514
      out dx, eax
      mov ax, 0xa000
      mov ds, ax
      mov eax, [0]
      mov dx, 0x518
      out dx, eax
      done`;
const TRAMPOLINE = program(16, WORK);
const STARTER = program(
  64,
  `
      mov edi, 0xfee00000
      mov eax, 0x1ff
      mov [rdi + 0xf0], eax     # enable the local APIC in software
      mov eax, 0xc4500          # INIT to all but self
      mov [rdi + 0x300], eax
wait: mov eax, [rdi + 0x300]
      test eax, 0x1000
      jnz wait
      mov eax, 0xc4602          # SIPI with vector 2
      mov [rdi + 0x300], eax
      mov dx, 0x510
      in eax, dx
      mov dx, 0x514
      out dx, eax
      mov eax, [0xa0000]
      mov dx, 0x518
      out dx, eax
      done`,
);

export const PROCESSOR_COUNT_CASES: readonly ContractCase[] = [2, 4, 8].map(
  (vcpus): ContractCase => ({
    id: `vcpus/${vcpus}`,
    title: `starts ${vcpus} vCPUs by INIT and SIPI, and answers each one's exits with its own values`,
    uses: ["guest-code", "long-mode", "apic"],
    vcpus,
    async run(stage) {
      const actor = await stage.load(STARTER, { vcpus }, (exit) => {
        if (exit.kind === "port-in") return 1000 + exit.vcpu;
        if (exit.kind === "mmio-read") return 2000n + BigInt(exit.vcpu);
        return undefined;
      });
      const { vm, exits, done } = actor;
      vm.memory.write(TRAMPOLINE_AT, programBytes(TRAMPOLINE));
      vm.run();
      await stage.until(() => done.size === vcpus, "every vCPU ended its program", actor);
      await vm.pause();
      for (let vcpu = 0; vcpu < vcpus; vcpu += 1) {
        assert.deepEqual(
          exits.filter((exit) => exit.vcpu === vcpu),
          [
            { kind: "port-in", vcpu, port: 0x510, size: 4 },
            { kind: "port-out", vcpu, port: 0x514, size: 4, value: 1000 + vcpu },
            { kind: "mmio-read", vcpu, at: HOLE_AT, size: 4 },
            { kind: "port-out", vcpu, port: 0x518, size: 4, value: 2000 + vcpu },
          ],
          `the exits of vCPU ${vcpu}`,
        );
      }
    },
  }),
);

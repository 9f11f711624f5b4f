// A vCPU that halts between interrupts: none may be lost, whenever it comes.

import assert from "node:assert/strict";
import type { ContractCase } from "../contract-case.js";
import { PIC_SETUP } from "../cases/interrupts.js";
import { program } from "../program.js";

const ROUNDS = 300;
const RESTING = program(16, `${PIC_SETUP}\n mov al, 1\n out 0x80, al\nrest: sti\n hlt\n jmp rest`);

/** 0 to 2 ms in steps that repeat late, so that a line rises before, at and after HLT. */
const delayUs = (round: number): number => (round * 377) % 2003;

export const WAKING_CASES: readonly ContractCase[] = [
  {
    id: "waking/none-lost",
    title: "wakes a vCPU that halts between hundreds of interrupts every time, whenever the line rises",
    uses: ["guest-code", "interrupts"],
    async run(stage) {
      let served = 0;
      const actor = await stage.load(RESTING, {}, (exit) => {
        if (exit.kind !== "port-out" || exit.port !== 0x81) return;
        served += 1;
        actor.vm.interrupts.setLine(5, false);
      });
      actor.vm.run();
      await stage.until(() => actor.exits.length > 0, "the guest was ready", actor);
      for (let round = 0; round < ROUNDS; round += 1) {
        const until = performance.now() + delayUs(round) / 1000;
        while (performance.now() < until);
        actor.vm.interrupts.setLine(5, true);
        await stage.until(() => served > round, `interrupt ${round} was served`, actor);
      }
      await actor.vm.pause();
      assert.equal(served, ROUNDS);
    },
  },
];

// Debug exits: single steps and breakpoints, seen before the instruction at RIP.

import assert from "node:assert/strict";
import type { ContractCase } from "../contract-case.js";
import { CODE_AT, program } from "../program.js";

/** Offsets 0, 5, 6 and 7, then `done`. */
const STEPS = program(64, "mov eax, 1\n nop\n nop\n xor ebx, ebx\n done");

export const DEBUG_CASES: readonly ContractCase[] = [
  {
    id: "debug/single-step",
    title: "leaves the guest after each instruction while single-stepping, and runs on when that ends",
    uses: ["guest-code", "long-mode"],
    needs: ["debug"],
    async run(stage) {
      const actor = await stage.load(STEPS);
      const { vm } = actor;
      await vm.vcpus[0]!.debug({ singleStep: true });
      vm.run();
      await stage.until(() => actor.exits.length >= 3, "three steps were made", actor);
      await vm.pause();
      const rips = actor.exits.slice(0, 3).map((exit) => (exit.kind === "debug" ? exit.rip : exit.kind));
      assert.deepEqual(
        rips,
        [5n, 6n, 7n].map((offset) => BigInt(CODE_AT) + offset),
      );
      await vm.vcpus[0]!.debug({});
      vm.run();
      await stage.finish(actor);
    },
  },
  {
    id: "debug/breakpoint",
    title: "leaves the guest before the instruction at a breakpoint and nowhere else, and runs on once it is taken away",
    uses: ["guest-code", "long-mode", "breakpoints"],
    needs: ["debug"],
    async run(stage) {
      const actor = await stage.load(STEPS);
      const { vm } = actor;
      await vm.vcpus[0]!.debug({ breakpoints: [BigInt(CODE_AT) + 6n] });
      vm.run();
      await stage.until(() => actor.exits.length > 0, "the breakpoint was reached", actor);
      await vm.pause();
      const rip = BigInt(CODE_AT) + 6n;
      assert.deepEqual(actor.exits[0], { kind: "debug", vcpu: 0, rip });
      assert.ok(
        actor.exits.every((exit) => exit.kind === "debug" && exit.rip === rip),
        "every debug exit is at the breakpoint",
      );
      await assert.rejects(async () => vm.vcpus[0]!.debug({ breakpoints: [1n, 2n, 3n, 4n, 5n] }), RangeError);
      await vm.vcpus[0]!.debug({});
      vm.run();
      await stage.finish(actor);
    },
  },
];

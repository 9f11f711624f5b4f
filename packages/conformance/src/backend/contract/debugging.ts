// Debug exits: single steps and breakpoints, seen before the instruction at RIP.

import assert from "node:assert/strict";
import type { ContractCase } from "../contract-case.js";
import { CODE_AT, program } from "../program.js";

/** Offsets 0, 5, 6 and 7, then `done`. */
const STEPS = program(64, "mov eax, 1\n nop\n nop\n xor ebx, ebx\n done");

/** Says each count at port 80h: the loop is at offset 2. */
const COUNTING = program(64, "xor ebx, ebx\nagain: inc ebx\n mov eax, ebx\n out 0x80, eax\n jmp again");
const COUNTING_LOOP = BigInt(CODE_AT) + 2n;

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
  {
    id: "debug/breakpoint-in-a-loop",
    title: "stops at a breakpoint that is set in a loop long under way, once each time around, and nothing is lost or done twice",
    uses: ["guest-code", "long-mode", "breakpoints"],
    needs: ["debug"],
    async run(stage) {
      const actor = await stage.load(COUNTING);
      const { vm, exits } = actor;
      vm.run();
      await stage.until(() => exits.length > 200, "the loop ran for a while", actor);
      await vm.pause();
      await vm.vcpus[0]!.debug({ breakpoints: [COUNTING_LOOP] });
      const from = exits.length;
      vm.run();
      await stage.until(() => exits.length > from + 40, "it came round twenty times", actor);
      await vm.pause();
      await vm.vcpus[0]!.debug({});
      const kinds = exits.slice(from).map(({ kind }) => kind);
      for (const [i, kind] of kinds.entries()) if (i > 0) assert.notEqual(kind, kinds[i - 1], `exit ${i} of the debugged ones`);
      assert.ok(exits.every((exit) => exit.kind !== "debug" || exit.rip === COUNTING_LOOP));
      const until = exits.length;
      vm.run();
      await stage.until(() => exits.length > until + 40, "it went on without the breakpoint", actor);
      await vm.pause();
      assert.ok(exits.slice(until + 1).every(({ kind }) => kind === "port-out"));
      const counts = exits.flatMap((exit) => (exit.kind === "port-out" ? [exit.value] : []));
      for (const [i, count] of counts.entries()) assert.equal(count, i + 1);
    },
  },
];

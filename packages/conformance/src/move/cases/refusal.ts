// What the other backend cannot honour it refuses whole, and the guest goes on where it was.

import assert from "node:assert/strict";
import type { VmConfig } from "@ringzero/api";
import { assertUnbroken } from "../../backend/contract/state.js";
import { program } from "../../backend/program.js";
import type { MoveCase } from "../move-case.js";

const COUNTING = program(16, "xor ebx, ebx\nagain: inc ebx\n mov eax, ebx\n out 0x80, eax\n mov cx, 100\n loop .\n jmp again");
const UNSUPPORTED = { code: "VM_UNSUPPORTED" };

export const REFUSAL_CASES: readonly MoveCase[] = [
  {
    id: "move/refused",
    title: "a state that is damaged, newer or of a machine of another shape is refused there, and the guest goes on here",
    uses: ["guest-code"],
    async run(stage) {
      const actor = await stage.load(COUNTING);
      const { vm } = actor;
      const cpuProfile = stage.cpuProfiles[0]!;
      for (const what of ["newer", "cut", "shape"] as const) {
        const before = actor.exits.length;
        vm.run();
        await stage.from.until(() => actor.exits.length > before + 2, "the guest counted", actor);
        await vm.pause();
        const state = (await vm.saveState()).slice();
        if (what === "newer") new DataView(state.buffer, state.byteOffset).setUint32(4, 2 ** 31, true);
        const shape: Partial<VmConfig> = what === "shape" ? { uarts: [{ port: 0x3f8, irq: 4 }] } : {};
        const there = await stage.to.open({ cpuProfile, ...shape });
        const fresh = await there.vm.vcpus[0]!.getRegisters();
        await assert.rejects(there.vm.loadState(what === "cut" ? state.subarray(0, state.length - 8) : state), UNSUPPORTED, what);
        assert.deepEqual(await there.vm.vcpus[0]!.getRegisters(), fresh, `${what}: nothing has changed there`);
        await there.vm.dispose();
      }
      const before = actor.exits.length;
      vm.run();
      await stage.from.until(() => actor.exits.length > before + 2, "the guest counted on", actor);
      await vm.pause();
      assertUnbroken([actor]);
    },
  },
];

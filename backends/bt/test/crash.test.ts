// An engine that dies, by its own fault or by a signal, is an event; others do not notice. An embedder that dies takes
// its engines with it.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { VmEvents } from "@ringzero/api";
import type { BtVm } from "@ringzero/backend-bt";
import { create, exists, ticks, until } from "./scripted-vm.js";

const crashOf = (vm: BtVm): Promise<VmEvents["crashed"]> => new Promise((resolve) => vm.on("crashed", resolve));

describe("a bt engine that dies", () => {
  it("by SIGKILL is a crashed event with the last events, and a second machine goes on", async () => {
    const victim = await create("in 0x510 4", () => 1);
    const witness = await create("tick");
    try {
      witness.run();
      victim.run();
      const crash = crashOf(victim);
      await new Promise((resolve) => setTimeout(resolve, 20));
      process.kill(victim.enginePid, "SIGKILL");
      const event = await crash;
      assert.equal(event.signal, "SIGKILL");
      assert.equal(event.exitCode, null);
      assert.match(event.flightRecorder, /^exit {6} vcpu0 .* a=0x1400000000000510/m);
      assert.throws(() => victim.run(), { code: "VM_CRASHED" });
      const before = ticks(witness);
      await until(() => ticks(witness) > before + 100n, "the second machine went on");
    } finally {
      await victim.dispose();
      await witness.dispose();
    }
  });

  it("costs nothing afterwards, until the machine is disposed of", async () => {
    const vm = await create("tick");
    try {
      vm.run();
      const crash = crashOf(vm);
      process.kill(vm.enginePid, "SIGKILL");
      await crash;
      const before = process.cpuUsage();
      await new Promise((resolve) => setTimeout(resolve, 500));
      const { user, system } = process.cpuUsage(before);
      assert.ok(user + system < 250_000, `${(user + system) / 1000} ms of CPU time in half a second`);
    } finally {
      await vm.dispose();
    }
  });

  it("of SIGSEGV in its own code leaves a report with the place and the vCPU", async () => {
    const vm = await create("rest 5;segv 0x1230");
    vm.run();
    const event = await crashOf(vm);
    assert.equal(event.signal, "SIGSEGV");
    assert.match(
      event.flightRecorder,
      /engine died of SIGSEGV in thread vcpu.*address 0x1230, host rip 0x[0-9a-f]+ \(program \+ 0x/,
    );
    assert.match(event.flightRecorder, /^vcpu0x0 rip=/m);
    await vm.dispose();
  });

  it("in its control thread or by abort is reported likewise, and rejects what waited", async () => {
    const vm = await create("spin");
    const crash = crashOf(vm);
    await assert.rejects(vm.crashForTest(), { code: "VM_CRASHED" });
    assert.match((await crash).flightRecorder, /SIGSEGV in thread control/);
    await vm.dispose();

    const aborting = await create("abort");
    aborting.run();
    assert.equal((await crashOf(aborting)).signal, "SIGABRT");
    await aborting.dispose();
  });

  it("while the host is serving its exit does not disturb the host", async () => {
    const vm: BtVm = await create("in 0x510 4", () => {
      process.kill(vm.enginePid, "SIGKILL");
      return 1;
    });
    const crash = crashOf(vm);
    vm.run();
    assert.equal((await crash).signal, "SIGKILL");
    await vm.dispose();
  });

  it("at its start is a rejected create that names the cause", async () => {
    await assert.rejects(create("spin", undefined, { options: { trace: "smells" } }), {
      code: "VM_HOST_FAILURE",
      message: /did not start: .*trace=smells$/,
    });
  });
});

describe("an embedder of bt machines that dies", () => {
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    it(`of ${signal} mid-run leaves no engine behind`, async () => {
      const embedder = spawn(process.execPath, [fileURLToPath(new URL("./embedder.js", import.meta.url))], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const pids = await enginesOf(embedder);
      assert.equal(pids.length, 3);
      for (const pid of pids) assert.ok(exists(pid), `engine ${pid} runs`);
      embedder.kill(signal);
      await until(() => pids.every((pid) => !exists(pid)), "all engines were gone");
    });
  }
});

function enginesOf(embedder: ChildProcess): Promise<number[]> {
  return new Promise((resolve, reject) => {
    let said = "";
    embedder.stdout?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("\n")) resolve(said.trim().split(" ").map(Number));
    });
    embedder.once("exit", () => reject(new Error("the embedder ended early")));
  });
}

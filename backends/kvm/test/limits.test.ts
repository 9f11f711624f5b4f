// A host that runs out of descriptors, wherever that happens while a machine is made: the error names the call and the remedy, the machines that
// are there live, and nothing of the one that was not made stays.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { needKvm } from "./tiny-guest.js";

/** One after another, so that different calls meet the limit: a machine of two vCPUs takes about seven descriptors. */
const LIMITS = [64, 65, 66, 67, 68, 69, 70];

const CHILD = `
  const { KvmVm } = await import(${JSON.stringify(import.meta.resolve("@ringzero/backend-kvm"))});
  const config = { name: "limit", vcpus: 2, memory: [{ at: 0, sizeBytes: 2 ** 20 }], cpuProfile: "host", uarts: [] };
  const make = () => KvmVm.create(config, () => undefined);
  const made = [];
  let error;
  for (let i = 0; i < 40 && !error; i++) await make().then((vm) => made.push(vm), (caught) => (error = caught));
  const lives = made[0] ? await made[0].saveState().then((state) => state.length > 0) : false;
  await made.pop()?.dispose(); // room for one: nothing else may have stayed
  await (await make()).dispose();
  for (const vm of made) await vm.dispose();
  console.log(JSON.stringify({ code: error?.code, message: error?.message, lives }));
  process.exit(0);`;

describe("a host without descriptors for a kvm machine", () => {
  before(async function () {
    await needKvm(this);
  });

  it("says which call it was and what to do, and loses nothing by it", async function () {
    this.timeout(60_000);
    const calls = new Set<string>();
    for (const limit of LIMITS) {
      const command = `ulimit -n ${limit} && exec "$0" --input-type=module -e "$1"`;
      const { stdout } = await promisify(execFile)("/bin/sh", ["-c", command, process.execPath, CHILD]);
      const { code, message, lives } = JSON.parse(stdout) as { code?: string; message?: string; lives: boolean };
      assert.equal(code, "VM_HOST_FAILURE", `with ${limit} descriptors: ${message}`);
      const call = /(?:: )([\w()/]+): Too many open files/.exec(message!)?.[1];
      assert.ok(call, message);
      if (/^KVM_|kvm/.test(call)) assert.match(message!, /; raise the limit of open files \(ulimit -n\)$/);
      assert.ok(lives, `with ${limit} descriptors: the first machine lives`);
      calls.add(call);
    }
    assert.ok(calls.size >= 2, `different calls failed: ${[...calls].join(", ")}`);
  });
});

// KVM against the published suite. Where /dev/kvm does not open, every case is skipped and says why. A kernel that runs ring 0 in its
// instruction emulator instead of in hardware lacks x87 and SSE there; a guest of one instruction finds out.

import { KvmBackend } from "@ringzero/backend-kvm";
import { describeBackend } from "@ringzero/conformance";

/** Why FLDPI does not run in ring 0 here, or null. */
async function withoutFpu(): Promise<string | null> {
  const backend = new KvmBackend();
  const report = await backend.probe();
  if (!report.available) return null;
  let ended: (why: string | null) => void;
  const end = new Promise<string | null>((resolve) => {
    ended = resolve;
  });
  const memory = [{ at: 0, sizeBytes: 2 ** 20 }];
  const config = { name: "fldpi", vcpus: 1, memory, uarts: [], cpuProfile: report.capabilities.cpuProfiles[0]! };
  const vm = await backend.createVm(config, () => ended(null));
  vm.on("crashed", ({ reason }) => ended(reason.includes("does not emulate") ? "this host's KVM emulates ring 0" : null));
  vm.memory.write(0x1000, Uint8Array.of(0xd9, 0xeb, 0xe6, 0x80, 0xeb, 0xfe)); // fldpi; out 80h,al; jmp $
  await vm.vcpus[0]!.setRegisters({ cs: { selector: 0, base: 0n, limit: 0xffff, attributes: 0x9b }, rip: 0x1000n });
  vm.run();
  const why = await end;
  await vm.dispose();
  return why;
}

const fpu = await withoutFpu();

describeBackend("kvm", () => new KvmBackend(), { without: fpu === null ? {} : { fpu } });

// The log of written pages when it has more ranges than one answer of an engine holds (1 MiB, 65 535 of them): none is lost, on any backend.

import assert from "node:assert/strict";
import type { Backend, VmConfig } from "@ringzero/api";
import { BtBackend } from "@ringzero/backend-bt";
import { KvmBackend } from "@ringzero/backend-kvm";

const MIB = 2 ** 20;
const PAGE = 4096;
const PAGES = 65_636;
const ROM_AT = 0xffff0000;
const config: VmConfig = {
  name: "written-pages",
  vcpus: 1,
  memory: [
    { at: 0, sizeBytes: MIB + PAGES * 2 * PAGE },
    { at: ROM_AT, sizeBytes: 0x10000, readOnly: true },
  ],
  cpuProfile: "host",
  uarts: [],
};
/** Gets a data segment of 4 GiB by protected mode, writes to every other page from 1 MiB on, and says so. */
const WRITES = [
  ...[0xfa, 0x2e, 0x66, 0x0f, 0x01, 0x16, 0x50, 0x00], // cli; lgdt cs:[50h]
  ...[0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0], // mov eax,cr0; or al,1; mov cr0,eax
  ...[0xbb, 0x08, 0x00, 0x8e, 0xdb, 0x24, 0xfe, 0x0f, 0x22, 0xc0], // mov bx,8; mov ds,bx; and al,0feh; mov cr0,eax
  ...[0x66, 0xbf, 0x00, 0x00, 0x10, 0x00, 0x66, 0xb9, PAGES & 0xff, (PAGES >> 8) & 0xff, PAGES >> 16, 0x00], // mov edi,100000h; mov ecx,PAGES
  ...[0x67, 0xc6, 0x07, 0x01, 0x66, 0x81, 0xc7, 0x00, 0x20, 0x00, 0x00], // next: mov byte [edi],1; add edi,2000h
  ...[0x66, 0x49, 0x75, 0xf1, 0xe6, 0x80, 0xf4, 0xeb, 0xfd], // dec ecx; jnz next; out 80h,al; hlt; jmp $-1
];
const GDT_AT = 0x40;
const GDT = [...Array<number>(8).fill(0), 0xff, 0xff, 0x00, 0x00, 0x00, 0x93, 0xcf, 0x00, 0x0f, 0x00, GDT_AT, 0x00, 0xff, 0xff];

describe("a log of written pages of more ranges than an answer holds", () => {
  for (const backend of [new BtBackend(), new KvmBackend()] as Backend[]) {
    it(`comes whole from ${backend.name}`, async function () {
      this.timeout(120_000);
      const { available, reason } = await backend.probe();
      if (!available) {
        console.log(`      skipped: ${reason}`);
        return this.skip();
      }
      let done = false;
      const vm = await backend.createVm(config, (exit) => {
        done ||= exit.kind === "port-out";
      });
      try {
        vm.memory.write(ROM_AT, Uint8Array.from(WRITES));
        vm.memory.write(ROM_AT + GDT_AT, Uint8Array.from(GDT));
        vm.memory.write(ROM_AT + 0xfff0, Uint8Array.of(0xe9, 0x0d, 0x00)); // jmp 0
        await vm.trackDirty(true);
        vm.run();
        for (const end = Date.now() + 60_000; !done; await new Promise((later) => setTimeout(later, 5)))
          assert.ok(Date.now() < end, "the guest has not written everything after 60 s");
        await vm.pause();
        const taken = (await vm.takeDirty()).filter(({ at }) => at >= MIB && at < ROM_AT);
        assert.equal(taken.length, PAGES);
        const wrong = taken.findIndex(({ at, sizeBytes }, i) => at !== MIB + i * 2 * PAGE || sizeBytes !== PAGE);
        assert.equal(wrong, -1, `range ${wrong} is ${JSON.stringify(taken[wrong])}`);
        assert.deepEqual(await vm.takeDirty(), []);
      } finally {
        await vm.dispose();
      }
    });
  }
});

#!/usr/bin/env node
// Writes what a machine boots from as plain files, for trying an engine without the SDK (format: packages/boot/src/flatten.ts).
// Usage: node tools/boot-image.mjs --out DIR [--memory MIB] [--cpus N] [--append S] [--initrd F]... [--busybox F [--command S]...]
//          (--kernel F | --elf F | --multiboot F [--module F]... | --firmware F)
// Needs a built packages/boot.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";

const boot = await import(process.env.RINGZERO_BOOT_ENTRY ?? new URL("../packages/boot/bundle/index.js", import.meta.url).href);
const { values } = parseArgs({
  options: {
    out: { type: "string" },
    memory: { type: "string", default: "512" },
    cpus: { type: "string", default: "1" },
    append: { type: "string", default: "" },
    initrd: { type: "string", multiple: true, default: [] },
    module: { type: "string", multiple: true, default: [] },
    busybox: { type: "string" },
    command: { type: "string", multiple: true },
    kernel: { type: "string" },
    elf: { type: "string" },
    multiboot: { type: "string" },
    firmware: { type: "string" },
  },
});
if (!values.out) throw new Error("say where to write: --out DIR");
await mkdir(values.out, { recursive: true });
const initrd = [...values.initrd];
if (values.busybox) {
  const path = join(values.out, "initramfs.cpio");
  await writeFile(
    path,
    await boot.busyboxInitramfs({ busybox: values.busybox, ...(values.command ? { commands: values.command } : {}) }),
  );
  initrd.push(path);
}
const shape = { memoryBytes: Number(values.memory) * 0x100000, cpus: Number(values.cpus) };
const { append } = values;
const source = values.kernel
  ? boot.linux({ kernel: values.kernel, initrd, append })
  : values.elf
    ? boot.elf({ kernel: values.elf, modules: initrd, append })
    : values.multiboot
      ? boot.multiboot({ kernel: values.multiboot, modules: values.module, append })
      : boot.firmware({ image: values.firmware });
console.log(await boot.flattenBootImage(await boot.loadBoot(source, shape), shape, values.out));

// The initramfs of a benchmark session: BusyBox, the benchmark binary, and a script that runs it and powers the machine off.

import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { busyboxInitramfs } from "@ringzero/boot";
import { CACHE_FOLDER } from "./guest-programs.js";

/** @returns path of the archive, made once per content */
export async function sessionImage(binary: string, busybox: string, programArguments: readonly string[]): Promise<string> {
  const archive = await busyboxInitramfs({
    busybox,
    commands: [`/usr/bin/bench ${programArguments.join(" ")}`],
    files: [{ path: "usr/bin/bench", content: await readFile(binary), executable: true }],
  });
  await mkdir(CACHE_FOLDER, { recursive: true });
  const path = join(CACHE_FOLDER, `session-${createHash("sha256").update(archive).digest("hex").slice(0, 16)}.cpio`);
  await writeFile(path, archive);
  return path;
}

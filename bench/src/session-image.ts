// The initramfs of a benchmark session: BusyBox, the benchmark binary, and a script that runs it and powers the machine off.

import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { busyboxInitramfs } from "@ringzero/boot";
import { CACHE_FOLDER } from "./guest-programs.js";

/**
 * @param programArguments  null: the guest boots and powers off
 * @returns path of the archive, made once per content
 */
export async function sessionImage(binary: string, busybox: string, programArguments: readonly string[] | null): Promise<string> {
  const archive = await busyboxInitramfs({
    busybox,
    commands: programArguments ? [`/usr/bin/bench ${programArguments.join(" ")}`] : ["true"],
    files: [{ path: "usr/bin/bench", content: await readFile(binary), executable: true }],
  });
  await mkdir(CACHE_FOLDER, { recursive: true });
  const path = join(CACHE_FOLDER, `session-${createHash("sha256").update(archive).digest("hex").slice(0, 16)}.cpio`);
  const aside = `${path}.${process.pid}`; // another run may be about to boot from it
  await writeFile(aside, archive);
  await rename(aside, path);
  return path;
}

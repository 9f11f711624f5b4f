// The files that sessions boot from: kernel and BusyBox, the benchmark binary, an initramfs for each script, a firmware image. Made once
// per content, in the cache folder of the project.

import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { busyboxInitramfs, type DebianImages, fetchDebianImages } from "@ringzero/boot";
import { buildGuestPrograms, CACHE_FOLDER } from "./guest-programs.js";
import { helloFirmware } from "./machines/probe-firmware.js";

export class SessionFiles {
  readonly #initrds = new Map<string, Promise<string>>();

  private constructor(
    readonly images: DebianImages,
    /** The static benchmark binary. */
    readonly binary: string,
  ) {}

  /** @throws RingzeroError `IMAGE_FETCH_FAILED` without a guest kernel; Error when the guest programs cannot be compiled */
  static async prepare(): Promise<SessionFiles> {
    return new SessionFiles(await fetchDebianImages(), await buildGuestPrograms());
  }

  /** Path of an initramfs that prints the userspace banner, runs these commands and powers off. The binary is /usr/bin/bench. */
  initrd(commands: readonly string[]): Promise<string> {
    const key = commands.join("\n");
    const made = this.#initrds.get(key) ?? this.#makeInitrd(commands);
    this.#initrds.set(key, made);
    return made;
  }

  async #makeInitrd(commands: readonly string[]): Promise<string> {
    return await keep(
      "session.cpio",
      await busyboxInitramfs({
        ...{ busybox: this.images.busybox, commands },
        files: [{ path: "usr/bin/bench", content: await readFile(this.binary), executable: true }],
      }),
    );
  }

  /** Path of firmware that prints an x. */
  helloFirmware(): Promise<string> {
    return keep("hello.rom", helloFirmware());
  }
}

async function keep(name: string, content: Uint8Array): Promise<string> {
  await mkdir(CACHE_FOLDER, { recursive: true });
  const path = join(CACHE_FOLDER, `${createHash("sha256").update(content).digest("hex").slice(0, 16)}-${name}`);
  const aside = `${path}.${process.pid}`; // another run may be about to boot from it
  await writeFile(aside, content);
  await rename(aside, path);
  return path;
}

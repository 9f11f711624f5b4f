// The files that sessions boot from: kernel and BusyBox, the benchmark binary, an initramfs for each script, a firmware image. Made once
// per content, in the cache folder of the project.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { busyboxInitramfs, type DebianImages, fetchDebianImages } from "@ringzero/boot";
import { buildGuestPrograms, CACHE_FOLDER, GUEST_SOURCES } from "./guest-programs.js";
import { helloFirmware } from "./machines/probe-firmware.js";

/** The script that Node runs, on the host. */
export const NODE_SCRIPT = join(GUEST_SOURCES, "node.cjs");
/** What runs it in a guest. */
export const NODE_PROGRAM = "/usr/bin/node /usr/share/node.cjs";

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

  /**
   * As `initrd`, with this host's own Node and its libraries, and the script.
   * @throws Error where the host cannot tell which libraries Node needs
   */
  async nodeInitrd(commands: readonly string[]): Promise<string> {
    const key = `node\n${commands.join("\n")}`;
    const made = this.#initrds.get(key) ?? this.#makeNodeInitrd(commands);
    this.#initrds.set(key, made);
    return await made;
  }

  async #makeNodeInitrd(commands: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)("ldd", [process.execPath]);
    const libraries = [...stdout.matchAll(/(?:=> |^\s+)(\/\S+)/gm)].map((match) => match[1]!);
    const files = [
      { path: "usr/bin/node", content: await readFile(process.execPath), executable: true },
      { path: "usr/share/node.cjs", content: await readFile(NODE_SCRIPT), executable: false },
    ];
    for (const path of new Set(libraries)) files.push({ path: path.slice(1), content: await readFile(path), executable: true });
    return await keep("node-session.cpio", await busyboxInitramfs({ busybox: this.images.busybox, commands, files }));
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

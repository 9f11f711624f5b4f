// Files of a folder as an initramfs, to lie over the one that has BusyBox and the init script.

import { type Dirent, existsSync, realpathSync } from "node:fs";
import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { execFileSync } from "node:child_process";
import { CpioArchive } from "@ringzero/boot";

/** What no program reads, and the links that BusyBox's initramfs has as folders. */
const NEVER =
  /^(bin|sbin|\..*|usr\/share\/(doc|man|info|locale|lintian|bug|i18n|bash-completion|perl5?|gdb|gcc)|var|etc\/ssl\/certs)(\/|$)/;

/**
 * @param folder  as below `/` in the guest
 * @param wanted  paths to take, without a leading slash; default all that a program may read
 */
export async function treeInitramfs(folder: string, wanted: (path: string) => boolean = () => true): Promise<Uint8Array> {
  const archive = new CpioArchive();
  await add(archive, folder, "", wanted);
  return archive.toBytes();
}

async function add(archive: CpioArchive, folder: string, below: string, wanted: (path: string) => boolean): Promise<void> {
  const entries: Dirent[] = await readdir(join(folder, below), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (NEVER.test(path)) continue;
    if (entry.isDirectory()) await add(archive, folder, path, wanted);
    else if (!wanted(path)) continue;
    else if (entry.isSymbolicLink()) archive.symlink(path, await readlink(join(folder, path)));
    else if (entry.isFile())
      archive.file(path, await readFile(join(folder, path)), (await stat(join(folder, path))).mode & 0o777);
  }
}

/**
 * A program of this host with the libraries that it is linked with, at the same paths in the guest.
 * @returns null where the host cannot tell the libraries (no ldd)
 */
export async function hostProgramInitramfs(program: string): Promise<Uint8Array | null> {
  const archive = new CpioArchive();
  let libraries: string;
  try {
    libraries = execFileSync("ldd", [program], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    if (!/not a dynamic/.test(String((error as { stderr?: string }).stderr))) return null;
    libraries = "";
  }
  const paths = [...libraries.matchAll(/(?:=> |^\s+)(\/\S+)/gm)].map((match) => match[1]!).filter((path) => existsSync(path));
  for (const path of new Set([program, ...paths])) archive.file(path.slice(1), await readFile(realpathSync(path)), 0o755);
  return archive.toBytes();
}

/** A few files of our own. */
export function filesInitramfs(files: Readonly<Record<string, string | Uint8Array>>): Uint8Array {
  const archive = new CpioArchive();
  for (const [path, content] of Object.entries(files)) archive.file(path, content, 0o755);
  return archive.toBytes();
}

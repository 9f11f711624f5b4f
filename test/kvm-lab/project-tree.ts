// This project, built, as an initramfs: what a program of it needs at run time, at the same paths as here, so that it runs in a guest as it
// runs on the host. What must stay true: nothing is built or installed in the guest, and tools that only build are left behind.

import { type Dirent } from "node:fs";
import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { CpioArchive } from "@ringzero/boot";

/** Packages of the store that only build, lint or describe; together they are nine tenths of it. */
const BUILDS_ONLY =
  /^(@biomejs|@typescript|typescript@|prettier@|@changesets|@types|cmake-js@|@esbuild|esbuild@|node-api-headers@|@babel|lodash)/;
const READ_BY_NOBODY = /\.(map|ts|md|cpp|h|o|a|ninja|cmake|tsbuildinfo)$|^(\.git|CMakeFiles|docs|\.changeset)$/;
/** The build folder of a backend also has what compiles; these are what runs. */
const NATIVE_PRODUCTS = /(\.node|^ringzero-engine|_test)$/;

/** @param root  of this project */
export async function projectInitramfs(root: string): Promise<Uint8Array> {
  const archive = new CpioArchive();
  const add = async (path: string, entry: Dirent, below: (path: string, entry: Dirent) => boolean): Promise<void> => {
    if (READ_BY_NOBODY.test(entry.name) || !below(path, entry)) return;
    const at = join(root, path);
    if (entry.isSymbolicLink()) archive.symlink(at.slice(1), await readlink(at));
    else if (entry.isFile()) archive.file(at.slice(1), await readFile(at), (await stat(at)).mode & 0o777);
    else if (entry.isDirectory()) {
      archive.directory(at.slice(1));
      for (const each of await readdir(at, { withFileTypes: true })) await add(`${path}/${each.name}`, each, below);
    }
  };
  for (const entry of await readdir(root, { withFileTypes: true })) {
    await add(entry.name, entry, (path, each) => {
      if (/^node_modules\/\.pnpm\/[^/]+$/.test(path)) return !BUILDS_ONLY.test(each.name);
      if (/\/build\/native\/[^/]+$/.test(path)) return each.isFile() && NATIVE_PRODUCTS.test(each.name);
      return true;
    });
  }
  return archive.toBytes();
}

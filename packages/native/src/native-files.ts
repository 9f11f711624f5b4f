// Where a backend's compiled files are: its addon and helper programs. Looks at a folder given by the environment first
// (other build configurations), then at the package's own build output.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);

/**
 * The path of a compiled file of a backend package.
 *
 * @param packageRoot  URL of the package's folder, with a trailing slash
 * @param name         file name, such as `ringzero_bt.node`
 * @param variable     environment variable that may name another folder
 * @throws Error naming every place looked at and the command that builds the file
 */
export function nativeFile(packageRoot: URL, name: string, variable: string): string {
  const folders = [process.env[variable], fileURLToPath(new URL("build/native/", packageRoot))];
  const places = folders
    .filter((folder) => folder !== undefined && folder !== "")
    .map((folder) => path.join(folder as string, name));
  const found = places.find((place) => existsSync(place));
  if (found !== undefined) return found;
  throw new Error(`${name} is not built: looked for ${places.join(" and ")}; run \`pnpm build:native\``);
}

/** Load an addon by path. @throws what `require` throws: the file is missing, or of another platform or version */
export function loadAddon(file: string): unknown {
  return require(file);
}

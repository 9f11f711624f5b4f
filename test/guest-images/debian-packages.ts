// Debian packages as folders of files, for guests that nobody here wrote: fetched by the host's package client, unpacked into the cache,
// never installed, no root needed. What must stay true: the project names no registry and no version, a half-made folder is never
// used, and where packages are not to be had the answer is null and one line that says which.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const CACHE = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "ringzero", "packages");

export interface PackageSet {
  /** Names in Debian; one that ends in `*` is a meta package that stands for the package that it depends on. */
  readonly packages: readonly string[];
  /** Default amd64. Packages of i386 need nothing of the host's own set-up. */
  readonly architecture?: "amd64" | "i386";
}

/** @returns a folder with the packages' files, as below `/`, or null (and a line that says why) where they cannot be had */
export async function debianPackages(set: PackageSet): Promise<string | null> {
  const architecture = set.architecture ?? "amd64";
  const key = createHash("sha256").update(set.packages.join()).digest("hex").slice(0, 12);
  const folder = join(CACHE, `${architecture}-${set.packages[0]!.replace("*", "")}-${key}`);
  const complete = join(folder, ".complete");
  if (await exists(complete)) return folder;
  await mkdir(CACHE, { recursive: true });
  const aside = await mkdtemp(`${folder}.new-`);
  try {
    const client = await packageClient(architecture);
    await unpack(set, aside, client);
    await writeFile(join(aside, ".complete"), "");
    await rename(aside, folder).catch(async (error: NodeJS.ErrnoException) => {
      if (await exists(complete)) return; // another process was faster
      await rm(folder, { recursive: true, force: true });
      await rename(aside, folder).catch(() => Promise.reject(error));
    });
    return folder;
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.split("\n").find((line) => line.startsWith("E:"));
    console.log(`      skipped: cannot get ${set.packages.join(" ")} (${architecture}): ${said ?? (error as Error).message}`);
    return null;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** Environment for apt. Its word on another architecture comes from lists of our own, so that the host's stay as they are. */
type Client = NodeJS.ProcessEnv;

async function packageClient(architecture: "amd64" | "i386"): Promise<Client> {
  const environment = { ...process.env, LC_ALL: "C" };
  const own = (await run("dpkg", ["--print-architecture"])).stdout.trim();
  if (own === architecture) return environment;
  const folder = join(CACHE, `client-${architecture}`);
  const client = { ...environment, APT_CONFIG: join(folder, "apt.conf") };
  if (await exists(join(folder, ".complete"))) return client;
  await mkdir(join(folder, "state", "lists", "partial"), { recursive: true });
  await mkdir(join(folder, "cache", "archives", "partial"), { recursive: true });
  await writeFile(join(folder, "status"), "");
  await writeFile(
    client.APT_CONFIG,
    `APT::Architecture "${architecture}";
APT::Architectures { "${architecture}"; };
Acquire::Languages "none";
Dir::State "${folder}/state";
Dir::State::status "${folder}/status";
Dir::Cache "${folder}/cache";
`,
  );
  // A part that fails, such as an index that is too old, matters only if a package is then missing.
  await run("apt-get", ["update", "-qq"], { env: client }).catch(() => {});
  await writeFile(join(folder, ".complete"), "");
  return client;
}

async function unpack(set: PackageSet, into: string, client: Client): Promise<void> {
  // As on a system with one /usr: packages hold paths of both kinds.
  for (const name of ["bin", "sbin", "lib", "lib64"]) {
    await mkdir(join(into, "usr", name), { recursive: true });
    await run("ln", ["-s", `usr/${name}`, join(into, name)]);
  }
  const names: string[] = [];
  for (const name of set.packages) names.push(name.endsWith("*") ? await dependency(name.slice(0, -1), client) : name);
  const archives = join(into, ".archives");
  await mkdir(archives);
  await run("apt-get", ["download", "-qq", ...names], { cwd: archives, env: client, maxBuffer: 1 << 24 });
  const extract = 'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink --no-same-owner -C "$2"';
  for (const file of await readdir(archives)) await run("sh", ["-e", "-c", extract, "sh", join(archives, file), into]);
  await rm(archives, { recursive: true });
}

/** The meta package of a kernel depends on the package of its current version. */
async function dependency(meta: string, client: Client): Promise<string> {
  const { stdout } = await run("apt-cache", ["depends", "--no-recommends", "--no-suggests", meta], { env: client });
  const name = /Depends:\s+([a-z]\S+)/.exec(stdout)?.[1];
  if (!name) throw new Error(`apt does not know what ${meta} depends on`);
  return name;
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

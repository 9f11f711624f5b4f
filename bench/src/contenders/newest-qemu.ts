// Gets the newest QEMU that Debian has into a cache folder, with every library that it needs, down to its own libc: nothing is
// installed, no root is needed, and the host's own release does not matter. What must stay true: the project names no registry (the
// mirror is the one that this host's package client is configured for), and a half-made folder is never used.

import { execFile } from "node:child_process";
import { access, chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { QEMU_FOLDER } from "./qemu-tcg.js";

const run = promisify(execFile);
const PACKAGES = ["qemu-system-x86", "seabios"];
/** Debian's development distribution: what it has is the newest packaged. */
const SUITE = "sid";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

export interface FetchQemuOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (message: string) => void;
}

/**
 * @returns path of a program that behaves as qemu-system-x86_64; `defaultQemuPrograms` finds it from then on
 * @throws Error where there is no apt, no Debian mirror among its sources, or no network
 */
export async function fetchNewestQemu({ signal, onProgress = () => {} }: FetchQemuOptions = {}): Promise<string> {
  const tool = async (command: string, args: readonly string[]) =>
    (await run(command, args, { maxBuffer: 1 << 26, env: { ...process.env, LC_ALL: "C" }, ...(signal ? { signal } : {}) }))
      .stdout;
  await mkdir(QEMU_FOLDER, { recursive: true });
  const aside = await mkdtemp(join(QEMU_FOLDER, "new-"));
  try {
    const apt = await privateApt(aside, await debianMirror(tool));
    onProgress(`reading the package list of ${SUITE}`);
    await tool("apt-get", [...apt, "-q", "update"]);
    const policy = await tool("apt-cache", [...apt, "policy", PACKAGES[0]!]);
    const version = /Candidate: (?:\d+:)?([\w.]+)/.exec(policy)?.[1];
    if (!version) throw new Error(`${SUITE} has no package ${PACKAGES[0]}`);
    const folder = join(QEMU_FOLDER, version);
    const program = join(folder, "qemu-system-x86_64");
    if (await exists(program)) return program;
    onProgress(`fetching QEMU ${version} with its libraries`);
    await tool("apt-get", [...apt, "-q", "-y", "--download-only", "install", ...PACKAGES]);
    const root = join(aside, "root");
    const archives = (await readdir(join(aside, "archives"))).filter((name) => name.endsWith(".deb"));
    for (const name of archives) await tool("dpkg-deb", ["-x", join(aside, "archives", name), root]);
    for (const name of ["archives", "lists", "status", "debian.sources"]) await rm(join(aside, name), { recursive: true });
    await writeFile(join(aside, "qemu-system-x86_64"), STARTER);
    await chmod(join(aside, "qemu-system-x86_64"), 0o755);
    await tool(join(aside, "qemu-system-x86_64"), ["--version"]);
    await rename(aside, folder);
    return program;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** Starts the program by the dynamic loader that came with it, beside its libraries, modules and firmware. */
const STARTER = `#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/root
libraries=$root/usr/lib/x86_64-linux-gnu
export QEMU_MODULE_DIR=$libraries/qemu
for loader in "$root/usr/lib64/ld-linux-x86-64.so.2" "$root/lib64/ld-linux-x86-64.so.2"; do
  [ -x "$loader" ] && exec "$loader" --library-path "$libraries:$root/lib/x86_64-linux-gnu" \\
    "$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" "$@"
done
echo "no dynamic loader below $root" >&2
exit 127
`;

type Tool = (command: string, args: readonly string[]) => Promise<string>;

/** Where this host gets Debian's own packages from. */
async function debianMirror(tool: Tool): Promise<string> {
  const listed = await tool("apt-get", ["indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)"]);
  const mirror = listed.split("\n").flatMap((line) => /^Debian\|Debian\|(\S+)$/.exec(line)?.[1] ?? [])[0];
  if (!mirror)
    throw new Error('apt has no Debian mirror among its sources, or has not read it yet; "apt-get update" as root may help');
  return mirror;
}

/** Options by which apt keeps everything in a folder of ours and believes that nothing is installed, so that it brings every library. */
async function privateApt(folder: string, mirror: string): Promise<string[]> {
  await mkdir(join(folder, "lists", "partial"), { recursive: true });
  await mkdir(join(folder, "archives", "partial"), { recursive: true });
  await writeFile(join(folder, "status"), "");
  const signedBy = (await exists(KEYRING)) ? `Signed-By: ${KEYRING}\n` : "";
  await writeFile(
    join(folder, "debian.sources"),
    `Types: deb\nURIs: ${mirror}\nSuites: ${SUITE}\nComponents: main\nArchitectures: amd64\n${signedBy}`,
  );
  const settings = {
    "Dir::Etc::SourceList": join(folder, "debian.sources"),
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::Etc::PreferencesParts": "/dev/null",
    "Dir::State::Lists": join(folder, "lists"),
    "Dir::State::Status": join(folder, "status"),
    "Dir::Cache::Archives": join(folder, "archives"),
    "Dir::Cache::PkgCache": "",
    "Dir::Cache::SrcPkgCache": "",
    "APT::Architecture": "amd64",
    "APT::Install-Recommends": "false",
    "APT::Sandbox::User": "root",
    "Debug::NoLocking": "true",
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

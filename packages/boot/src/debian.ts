// Gets a stock Debian cloud kernel and a static BusyBox through the host's package client: `apt-get download` and `dpkg-deb -x`, into a
// cache folder, without root and without installing anything. What must stay true: the project names no registry and no version;
// a half-made cache entry is never used (each is made aside and renamed into place).

import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { RingzeroError } from "@ringzero/api";

const KERNEL_META_PACKAGE = "linux-image-cloud-amd64";
const BUSYBOX_PACKAGE = "busybox-static";

export interface DebianImages {
  /** Path of a bzImage. */
  readonly kernel: string;
  /** Path of a static BusyBox. */
  readonly busybox: string;
  /** Package and version of each, such as `busybox-static 1:1.35.0-4`. */
  readonly versions: { readonly kernel: string; readonly busybox: string };
  /** Whether nothing had to be fetched. */
  readonly cached: boolean;
}

export interface FetchProgress {
  readonly step: "resolving" | "downloading" | "unpacking" | "ready";
  /** Package or file that it is about. */
  readonly what: string;
  /** 0..1 over the whole fetch. */
  readonly fraction: number;
}

export interface FetchOptions {
  /** Default: `$XDG_CACHE_HOME/ringzero`, or `~/.cache/ringzero`. */
  readonly cacheDirectory?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FetchProgress) => void;
  /** Folder in which the package tools are looked for, instead of PATH. For tests. */
  readonly toolsPath?: string;
}

/** What a cache entry's `images.json` holds. */
interface CacheRecord {
  readonly format: 1;
  readonly kernel: string; // file name within the entry
  readonly busybox: string;
  readonly versions: DebianImages["versions"];
}

const ENTRY = "debian-cloud";
const RECORD = "images.json";

/**
 * The images, from the cache when they are there.
 * @throws RingzeroError `IMAGE_FETCH_FAILED` when there is no apt, no network, or no such package; the message says which two files to pass instead
 */
export async function fetchDebianImages(options: FetchOptions = {}): Promise<DebianImages> {
  const cache = options.cacheDirectory ?? join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "ringzero");
  const entry = join(cache, ENTRY);
  const found = await readEntry(entry);
  if (found) {
    options.onProgress?.({ step: "ready", what: found.kernel, fraction: 1 });
    return { ...found, cached: true };
  }
  const aside = await makeAside(cache);
  try {
    const record = await fill(aside, options);
    await writeFile(join(aside, RECORD), `${JSON.stringify(record, null, 2)}\n`);
    try {
      await rename(aside, entry);
    } catch (error) {
      // Another process was faster, or something damaged is in the way.
      if (!(await readEntry(entry))) {
        await rm(entry, { recursive: true, force: true });
        await rename(aside, entry).catch(() => {
          throw failure(`cannot put the images into ${entry} (${(error as NodeJS.ErrnoException).code})`, error);
        });
      }
    }
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  const ready = await readEntry(entry);
  if (!ready) throw failure(`the images vanished from ${entry} while they were being fetched`);
  options.onProgress?.({ step: "ready", what: ready.kernel, fraction: 1 });
  return { ...ready, cached: false };
}

async function readEntry(entry: string): Promise<Omit<DebianImages, "cached"> | null> {
  try {
    const record = JSON.parse(await readFile(join(entry, RECORD), "utf8")) as Partial<CacheRecord>;
    if (record.format !== 1 || !record.kernel || !record.busybox || !record.versions) return null;
    const images = {
      kernel: join(entry, record.kernel),
      busybox: join(entry, record.busybox),
      versions: record.versions,
    };
    await Promise.all([access(images.kernel), access(images.busybox)]);
    return images;
  } catch {
    return null; // absent or damaged: fetch it
  }
}

async function makeAside(cache: string): Promise<string> {
  try {
    await mkdir(cache, { recursive: true });
    return await mkdtemp(join(cache, `${ENTRY}.new-`));
  } catch (error) {
    throw failure(
      `cannot write to the cache folder ${cache} (${(error as NodeJS.ErrnoException).code}); set XDG_CACHE_HOME to a writable folder`,
      error,
    );
  }
}

async function fill(aside: string, options: FetchOptions): Promise<CacheRecord> {
  const { signal, onProgress } = options;
  const environment = {
    ...process.env,
    LC_ALL: "C",
    ...(options.toolsPath === undefined ? {} : { PATH: options.toolsPath }),
  };
  // Here and not above: device workers load this package too, and start no programs.
  const [{ execFile }, { promisify }] = await Promise.all([import("node:child_process"), import("node:util")]);
  const run = promisify(execFile);
  const tool = async (command: string, args: readonly string[]) =>
    (await run(command, args, { env: environment, maxBuffer: 1 << 24, ...(signal ? { signal } : {}) })).stdout;

  onProgress?.({ step: "resolving", what: KERNEL_META_PACKAGE, fraction: 0 });
  const kernelPackage = await resolveKernelPackage(tool);
  const versions: string[] = [];
  for (const [i, name] of [kernelPackage, BUSYBOX_PACKAGE].entries()) {
    const shares = [0.02, 0.85, 1]; // of the fetch; the kernel is the large one
    onProgress?.({ step: "downloading", what: name, fraction: shares[i]! });
    const archive = await download(name, aside, environment, signal);
    onProgress?.({ step: "unpacking", what: name, fraction: shares[i + 1]! - 0.05 });
    try {
      await tool("dpkg-deb", ["-x", archive, join(aside, "root")]);
      versions.push(`${name} ${(await tool("dpkg-deb", ["-f", archive, "Version"])).trim()}`);
    } catch (error) {
      throw failure(`cannot unpack ${name}: ${lastLine(error)}`, error);
    }
    await rm(archive);
  }

  const boot = join(aside, "root", "boot");
  const kernel = (await readdir(boot).catch(() => [])).find((file) => file.startsWith("vmlinuz-"));
  if (!kernel) throw failure(`the package ${kernelPackage} holds no boot/vmlinuz-*`);
  await rename(join(boot, kernel), join(aside, kernel));
  const busybox = await firstThatMoves(aside, ["bin/busybox", "usr/bin/busybox"]);
  await rm(join(aside, "root"), { recursive: true, force: true });
  return { format: 1, kernel, busybox, versions: { kernel: versions[0]!, busybox: versions[1]! } };
}

/** The meta package depends on the package of the current version. */
async function resolveKernelPackage(tool: (command: string, args: readonly string[]) => Promise<string>): Promise<string> {
  let output: string;
  try {
    output = await tool("apt-cache", ["depends", "--no-recommends", "--no-suggests", KERNEL_META_PACKAGE]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      throw failure("this host has no apt (the command apt-cache is not there)", error);
    throw failure(
      `apt does not know the package ${KERNEL_META_PACKAGE}: ${lastLine(error)}; "apt-get update" as root may help`,
      error,
    );
  }
  const name = /Depends:\s+(linux-image-\S+)/.exec(output)?.[1];
  if (!name) throw failure(`apt does not know what ${KERNEL_META_PACKAGE} depends on; "apt-get update" as root may help`);
  return name;
}

/** @returns the path of the .deb */
async function download(name: string, into: string, environment: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<string> {
  const { spawn } = await import("node:child_process");
  const failed = await new Promise<string | null>((resolve, reject) => {
    const child = spawn("apt-get", ["download", name], {
      cwd: into,
      env: environment,
      stdio: ["ignore", "ignore", "pipe"],
      ...(signal ? { signal } : {}),
    });
    let complaint = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint = (complaint + text).slice(-4096)));
    child.on("error", reject);
    child.on("close", (code) =>
      resolve(
        code === 0
          ? null
          : complaint
              .trim()
              .split("\n")
              .find((line) => line.startsWith("E:")) ||
              complaint.trim() ||
              `exit code ${code}`,
      ),
    );
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.name === "AbortError") throw error;
    throw failure(
      error.code === "ENOENT"
        ? "this host has no apt (the command apt-get is not there)"
        : `apt-get cannot be run (${error.code})`,
      error,
    );
  });
  if (failed !== null) throw failure(`apt-get cannot download ${name}: ${failed}; is there a network?`);
  const archive = (await readdir(into)).find((file) => file.startsWith(`${name}_`) && file.endsWith(".deb"));
  if (!archive) throw failure(`apt-get download ${name} succeeded and left no file`);
  return join(into, archive);
}

async function firstThatMoves(aside: string, candidates: readonly string[]): Promise<string> {
  for (const candidate of candidates) {
    try {
      await rename(join(aside, "root", candidate), join(aside, "busybox"));
      return "busybox";
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  throw failure(`the package ${BUSYBOX_PACKAGE} holds no busybox`);
}

function lastLine(error: unknown): string {
  const text = (error as { stderr?: string }).stderr || (error as Error).message;
  return text.trim().split("\n").at(-1) ?? "";
}

/** Every way to fail says what else to do. */
function failure(what: string, cause?: unknown): RingzeroError {
  return new RingzeroError(
    "IMAGE_FETCH_FAILED",
    `cannot get a kernel and a BusyBox: ${what}. Pass two files instead: --kernel FILE, a Linux x86-64 bzImage (on Debian /boot/vmlinuz-* of ${KERNEL_META_PACKAGE}), ` +
      `and --busybox FILE, a static x86-64 BusyBox (on Debian /bin/busybox of ${BUSYBOX_PACKAGE})`,
    cause === undefined ? undefined : { cause },
  );
}

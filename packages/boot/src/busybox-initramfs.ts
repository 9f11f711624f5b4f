// An initramfs whose only program is a static BusyBox: either a shell on the console, or a list of commands; then it powers off.
// What `npm start` boots, and the tests. What must stay true: same input, same bytes; nothing of the host leaks in.

import { PC_PORTS } from "@ringzero/api";
import { type BootFile, bootFileError, readBootFile } from "./boot-file.js";
import { CpioArchive } from "./cpio.js";
import { debugExitProgram } from "./debug-exit-program.js";

export interface BusyboxInitramfsOptions {
  /** A statically linked BusyBox for x86-64, such as the one in Debian's busybox-static, or for i386 if a 32-bit kernel is to run it. */
  readonly busybox: string;
  /**
   * Shell commands to run one after another, each after a line `# command`. The first that fails ends the run with its status
   * at the debug-exit port (and by power-off where there is no such device); if all succeed the machine powers off. Without this, a shell with job control runs on the console, and
   * leaving it powers the machine off.
   */
  readonly commands?: readonly string[];
  /** Further files, by their path without a leading slash. Mode 0644 unless executable. */
  readonly files?: readonly {
    readonly path: string;
    readonly content: Uint8Array | string;
    readonly executable?: boolean;
  }[];
  /** Port to which a failed command's status goes, and that the guest's program `debug-exit N` writes to. Default F4h. */
  readonly debugExitPort?: number;
}

/** The first line that the guest's userspace prints, for whoever measures or waits for it. */
export const USERSPACE_BANNER = "ringzero: userspace is up";

const ELF_CLASS_64 = 2;
const ET_EXEC = 2;
const ET_DYN = 3;
const EM_386 = 3;
const EM_X86_64 = 62;
const PT_INTERP = 3;

/**
 * @returns the archive, uncompressed: unpacking costs the guest more than reading costs the host
 * @throws RingzeroError `BOOT_FILE_*` when `busybox` is missing, damaged, or not a static x86 program
 */
export async function busyboxInitramfs(options: BusyboxInitramfsOptions): Promise<Uint8Array> {
  const busybox = await readBootFile(options.busybox, "busybox");
  const bits = requireStaticProgram(busybox);
  const archive = new CpioArchive();
  for (const path of ["bin", "dev", "etc", "proc", "root", "sbin", "sys", "tmp", "usr/bin", "usr/sbin"]) archive.directory(path);
  archive.file("bin/busybox", busybox.bytes, 0o755).symlink("bin/sh", "busybox");
  // The kernel opens /dev/console for the first process before anything can mount /dev.
  archive.device("dev/console", "character", 5, 1).device("dev/null", "character", 1, 3, 0o666);
  archive.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n").file("etc/group", "root:x:0:\n");
  archive.file("etc/profile", PROFILE);
  archive.file("sbin/debug-exit", debugExitProgram(options.debugExitPort ?? PC_PORTS.debugExit, bits), 0o755);
  const commands = options.commands;
  if (commands) archive.file("etc/session", sessionScript(commands), 0o755);
  archive.file("init", initScript(commands !== undefined), 0o755);
  for (const file of options.files ?? []) archive.file(file.path, file.content, file.executable ? 0o755 : 0o644);
  return archive.toBytes();
}

/** An interactive shell's settings. */
const PROFILE = `export HOME=/root PATH=/bin:/sbin:/usr/bin:/usr/sbin
PS1='\\w # '
`;

/**
 * Unknown NAME=value words of the kernel command line reach the first process as its environment:
 * TERM, RZ_ROWS and RZ_COLUMNS say what terminal the console is shown on.
 */
function initScript(scripted: boolean): string {
  const common = `#!/bin/sh
export HOME=/root PATH=/bin:/sbin:/usr/bin:/usr/sbin
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
echo "${USERSPACE_BANNER}"
busybox --install -s /bin
hostname ringzero
cd /root
`;
  if (scripted) {
    return `${common}/bin/sh /etc/session
status=$?
if [ $status -ne 0 ]; then
  echo "ringzero: a command failed with status $status"
  debug-exit $status
fi
poweroff -f
`;
  }
  return `${common}[ -n "$RZ_ROWS" ] && stty rows "$RZ_ROWS" columns "\${RZ_COLUMNS:-80}"
setsid cttyhack sh -l
poweroff -f
`;
}

function sessionScript(commands: readonly string[]): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  return `#!/bin/sh\n${commands.map((command) => `echo ${quoted(`# ${command}`)}\n( ${command}\n) || exit $?\n`).join("")}`;
}

/** @returns the width of the kernels that run it natively */
function requireStaticProgram(file: BootFile): 32 | 64 {
  const refuse = (why: string) =>
    bootFileError("BOOT_FILE_INVALID", file, why, "pass a static x86 BusyBox, as in Debian's package busybox-static");
  const view = new DataView(file.bytes.buffer, file.bytes.byteOffset, file.bytes.length);
  if (file.bytes.length < 64 || view.getUint32(0) !== 0x7f454c46) throw refuse("is not an ELF program");
  const bits = file.bytes[4] === ELF_CLASS_64 ? 64 : 32;
  const type = view.getUint16(16, true);
  if (view.getUint16(18, true) !== (bits === 64 ? EM_X86_64 : EM_386)) throw refuse("is not a program for x86");
  if (type !== ET_EXEC && type !== ET_DYN) throw refuse("is not an executable program");
  const word = (at: number) => (bits === 64 ? Number(view.getBigUint64(at, true)) : view.getUint32(at, true));
  const wide = bits === 64;
  const tableAt = word(wide ? 32 : 28);
  const entryBytes = view.getUint16(wide ? 54 : 42, true);
  const count = view.getUint16(wide ? 56 : 44, true);
  if (entryBytes < (wide ? 56 : 32) || tableAt + count * entryBytes > file.bytes.length)
    throw refuse("is truncated: its program headers are beyond its end");
  for (let i = 0; i < count; i++) {
    const at = tableAt + i * entryBytes;
    if (view.getUint32(at, true) === PT_INTERP) throw refuse("is dynamically linked, and the guest has no libraries");
    const end = word(at + (wide ? 8 : 4)) + word(at + (wide ? 32 : 16));
    if (end > file.bytes.length) throw refuse("is truncated: a segment ends beyond its end");
  }
  return bits;
}

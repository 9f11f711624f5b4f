// What any machine needs of this host, whatever the engine: Node, memory, limits, processors, sandboxing.
// Sources: proc(5), setrlimit(2), memfd_create(2), Linux "Transparent Hugepage Support", "Control Group v2".

import { formatSize } from "@ringzero/api";
import { type Finding, note, ok, trouble } from "./finding.js";
import type { HostReader } from "./host-reader.js";

const NODE_FLOOR = [20, 19] as const;
const MIB = 2 ** 20;
const LITTLE_MEMORY_BYTES = 512 * MIB;
const NO_MEMORY_BYTES = 64 * MIB;
const FEW_FILES = 1024;

export function checkPlatform({ platform, arch }: HostReader): Finding {
  return platform === "linux" && arch === "x64"
    ? ok("platform", "Linux on x86-64")
    : trouble("platform", `this is ${platform} on ${arch}`, "use Linux on x86-64: both engines are for it alone");
}

export function checkNode({ nodeVersion }: HostReader): Finding {
  const [major = 0, minor = 0] = nodeVersion.split(".").map(Number);
  const [floorMajor, floorMinor] = NODE_FLOOR;
  const enough = major > floorMajor || (major === floorMajor && minor >= floorMinor);
  return enough
    ? ok("node", `Node ${nodeVersion}`)
    : trouble("node", `Node ${nodeVersion} is too old`, `install Node ${floorMajor}.${floorMinor} or newer`);
}

/** Memory that machines may have: what is available, less where a control group says so. */
export function checkMemory(host: HostReader): Finding | null {
  const availableKib = /^MemAvailable:\s+(\d+) kB$/m.exec(host.text("/proc/meminfo") ?? "")?.[1];
  if (availableKib === undefined) return null;
  const available = Number(availableKib) * 1024;
  const group = groupFolder(host);
  const limit = group === null ? Number.NaN : Number(host.text(`${group}/memory.max`) ?? Number.NaN);
  const used = group === null ? Number.NaN : Number(host.text(`${group}/memory.current`) ?? 0);
  const limited = limit - used < available;
  const free = Math.max(0, limited ? limit - used : available);
  const says = `${formatSize(Math.floor(free / MIB) * MIB)} of memory is to be had${limited ? `, by the limit of ${formatSize(limit)} of this control group` : ""}`;
  const remedy = limited ? "raise the container's or the service's memory limit" : "end what takes memory, or give the host more";
  if (free < NO_MEMORY_BYTES) return trouble("memory", says, remedy);
  return free < LITTLE_MEMORY_BYTES ? note("memory", says, remedy) : ok("memory", says);
}

/** Limits that a process inherits and that machines run into. Nothing here locks memory, so that `ulimit -l` does not matter. */
export function checkLimits(host: HostReader): Finding[] {
  const text = host.text("/proc/self/limits");
  if (text === null) return [];
  const soft = (name: string): number => {
    const value = new RegExp(`^${name}\\s+(\\S+)`, "m").exec(text)?.[1];
    return value === undefined || value === "unlimited" ? Number.POSITIVE_INFINITY : Number(value);
  };
  const findings: Finding[] = [];
  const files = soft("Max open files");
  if (files < FEW_FILES)
    findings.push(
      note(
        "limits",
        `a process may have ${files} open files; a machine takes about 20`,
        "ulimit -n 4096, or LimitNOFILE= of the service",
      ),
    );
  const fileBytes = soft("Max file size");
  if (Number.isFinite(fileBytes))
    findings.push(
      note(
        "limits",
        `files may have ${fileBytes} bytes at most, and a guest's memory is one`,
        "ulimit -f unlimited, or LimitFSIZE=infinity of the service",
      ),
    );
  const addressBytes = soft("Max address space");
  if (Number.isFinite(addressBytes))
    findings.push(
      note(
        "limits",
        `a process may map ${addressBytes} bytes at most; guest memory, the code cache and Node need more than they use`,
        "ulimit -v unlimited, or LimitAS=infinity of the service",
      ),
    );
  return findings.length > 0 ? findings : [ok("limits", `open files ${files}, file size and address space unlimited`)];
}

/** Huge pages behind guest memory, which is a memfd. */
export function checkHugePages(host: HostReader): Finding | null {
  const mode = /\[(\w+)\]/.exec(host.text("/sys/kernel/mm/transparent_hugepage/shmem_enabled") ?? "")?.[1];
  if (mode === undefined) return null;
  if (mode === "deny")
    return note(
      "huge-pages",
      "huge pages are denied to shared memory: guests that use much memory at random are slower",
      "echo never | sudo tee /sys/kernel/mm/transparent_hugepage/shmem_enabled; huge pages are then made only where a guest profits",
    );
  const later = mode === "never" ? "; with advise, guests on KVM would have them from their first touch" : "";
  return ok("huge-pages", `shared memory may have huge pages (shmem_enabled: ${mode}${later})`);
}

export function checkProcessors(host: HostReader): Finding {
  const group = groupFolder(host);
  const [quota, period] = (group === null ? null : host.text(`${group}/cpu.max`))?.trim().split(" ").map(Number) ?? [];
  const share = quota !== undefined && period !== undefined && Number.isFinite(quota / period) ? quota / period : host.cpus;
  const usable = Math.min(host.cpus, share);
  const says = `${Number(usable.toFixed(1))} processor${usable === 1 ? "" : "s"} for this process${share < host.cpus ? ` (a control group's share of ${host.cpus})` : ""}`;
  return usable < 2
    ? note("processors", `${says}: a guest and its devices share it`, "give this host, or this container, two or more")
    : ok("processors", says);
}

/** A seccomp filter, as containers have; what it forbids shows in the backends' own words. */
export function checkSeccomp(host: HostReader): Finding | null {
  const mode = /^Seccomp:\s+(\d)$/m.exec(host.text("/proc/self/status") ?? "")?.[1];
  if (mode === undefined) return null;
  return mode === "0"
    ? ok("seccomp", "no filter of system calls")
    : ok(
        "seccomp",
        "system calls are filtered, as in containers; if a backend is refused something, allow memfd_create, ioctl, futex, execve and mmap of executable memory",
      );
}

/** Programs that some of this project's commands use; machines run without any. */
export function checkPrograms(host: HostReader): Finding[] {
  return PROGRAMS.map(([purpose, names]) => {
    const absent = names.filter((name) => !host.hasProgram(name));
    return absent.length === 0
      ? ok("programs", `${purpose}: ${names.join(", ")}`)
      : ok("programs", `${purpose}: ${absent.join(", ")} not found; needed for nothing else`);
  });
}

const PROGRAMS = [
  ["to build the native parts", ["g++", "cmake", "make"]],
  ["to compare with QEMU", ["qemu-system-x86_64"]],
  ["to profile translated code", ["perf"]],
] as const;

/** The folder of this process's control group (version 2), or of the root of a container's view. */
function groupFolder(host: HostReader): string | null {
  const path = /^0::(\/.*)$/m.exec(host.text("/proc/self/cgroup") ?? "")?.[1];
  return path === undefined ? null : `/sys/fs/cgroup${path === "/" ? "" : path}`;
}

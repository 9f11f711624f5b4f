// Each finding of the doctor, from facts made up for it; and the command itself, with what this host is.

import assert from "node:assert/strict";
import type { BackendReport } from "@ringzero/api";
import { examine, type Finding, type HostReader } from "@ringzero/cli";
import { runCommand } from "./scripted-run.js";

type Facts = Partial<Omit<HostReader, "text" | "hasProgram">> & {
  readonly files?: Readonly<Record<string, string>>;
  readonly programs?: readonly string[];
};

const LIMITS = [
  "Max file size             unlimited            unlimited            bytes     ",
  "Max open files            20000                20000                files     ",
  "Max address space         unlimited            unlimited            bytes     ",
].join("\n");
const GOOD_FILES = {
  "/proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu vme svm sse2\n",
  "/proc/meminfo": "MemTotal:       8000000 kB\nMemAvailable:   4194304 kB\n",
  "/proc/self/limits": LIMITS,
  "/proc/self/cgroup": "0::/\n",
  "/proc/self/status": "Name:\tnode\nSeccomp:\t0\n",
  "/proc/modules": "kvm_amd 1 0 - Live 0x0\nkvm 1 1 kvm_amd, Live 0x0\n",
  "/sys/module/kvm_amd/parameters/nested": "1\n",
  "/sys/kernel/mm/transparent_hugepage/shmem_enabled": "always within_size advise [never] deny force\n",
  "/etc/group": "root:x:0:\nkvm:x:107:alice,bob\n",
};

/** A host with nothing to complain of, but for what the facts change; "" takes a file away. */
function host({
  files = {},
  programs = ["g++", "cmake", "make", "qemu-system-x86_64", "perf"],
  ...facts
}: Facts = {}): HostReader {
  const all: Record<string, string> = { ...GOOD_FILES, ...files };
  return {
    platform: "linux",
    arch: "x64",
    nodeVersion: "20.19.0",
    cpus: 4,
    userName: "carol",
    groupIds: [1000],
    access: () => "ok",
    groupOf: () => 107,
    text: (path) => all[path] || null,
    hasProgram: (name) => programs.includes(name),
    ...facts,
  };
}

function backend(name: string, changes: Partial<BackendReport> = {}): BackendReport {
  return {
    name,
    available: true,
    reason: "it works",
    capabilities: {
      maxVcpus: 8,
      maxMemoryBytes: 2 ** 36,
      cpuProfiles: ["x86-64-v2"],
      saveState: true,
      dirtyLog: true,
      debug: true,
      doorbells: true,
      msi: true,
      memorySharing: true,
    },
    calibratedInstructionsPerSecond: 2e8,
    calibrationNote: "measured",
    ...changes,
  };
}
const bt = backend("bt");
const kvm = (changes: Partial<BackendReport> = {}) =>
  backend("kvm", { claimsHardware: true, calibratedInstructionsPerSecond: 6e8, ...changes });

function find(check: string, facts: Facts, reports: readonly BackendReport[] = [bt, kvm()]): Finding {
  const found = examine(host(facts), reports).filter((finding) => finding.check === check);
  assert.equal(found.length, 1, `${check} says ${found.length} things`);
  return found[0]!;
}

function says(finding: Finding, level: Finding["level"], what: RegExp, remedy: RegExp | null): void {
  assert.equal(finding.level, level);
  assert.match(finding.says, what);
  if (remedy === null) assert.equal(finding.remedy, null);
  else assert.match(finding.remedy ?? "", remedy);
}

describe("ringzero doctor: the host", () => {
  it("has nothing to say against a good one", () => {
    const bad = examine(host(), [bt, kvm()]).filter(({ level }) => level !== "ok");
    assert.deepEqual(bad, []);
  });

  it("knows on which platforms and which Node nothing runs", () => {
    says(find("platform", { platform: "darwin", arch: "arm64" }), "trouble", /darwin on arm64/, /Linux on x86-64/);
    says(find("node", { nodeVersion: "20.18.9" }), "trouble", /20\.18\.9 is too old/, /Node 20\.19 or newer/);
    says(find("node", { nodeVersion: "18.20.0" }), "trouble", /too old/, /newer/);
    says(find("node", { nodeVersion: "24.1.0" }), "ok", /24\.1\.0/, null);
  });

  it("sees little memory, of the host and of a control group", () => {
    const memory = (kib: number) => ({ files: { "/proc/meminfo": `MemAvailable:  ${kib} kB\n` } });
    says(find("memory", memory(300 * 1024)), "note", /300MiB of memory/, /more/);
    says(find("memory", memory(10 * 1024)), "trouble", /10MiB/, /more/);
    const files = {
      "/proc/self/cgroup": "0::/box\n",
      "/sys/fs/cgroup/box/memory.max": `${256 * 2 ** 20}\n`,
      "/sys/fs/cgroup/box/memory.current": `${56 * 2 ** 20}\n`,
    };
    says(find("memory", { files }), "note", /200MiB .*by the limit of 256MiB of this control group/, /limit/);
    says(find("memory", { files: { ...files, "/sys/fs/cgroup/box/memory.max": "max\n" } }), "ok", /4GiB/, null);
  });

  it("sees limits that machines run into", () => {
    const limit = (name: string, value: string) => ({
      files: { "/proc/self/limits": LIMITS.replace(new RegExp(`^${name}.*$`, "m"), `${name.padEnd(26)}${value.padEnd(21)}x`) },
    });
    says(find("limits", limit("Max open files", "256")), "note", /256 open files/, /ulimit -n/);
    says(
      find("limits", limit("Max file size", "1048576")),
      "note",
      /1048576 bytes at most, and a guest's memory is one/,
      /ulimit -f/,
    );
    says(find("limits", limit("Max address space", "8589934592")), "note", /map 8589934592 bytes/, /ulimit -v/);
  });

  it("sees huge pages denied, one processor, a share of processors, and a filter of system calls", () => {
    const shmem = { "/sys/kernel/mm/transparent_hugepage/shmem_enabled": "always within_size advise never [deny] force\n" };
    says(find("huge-pages", { files: shmem }), "note", /denied/, /shmem_enabled/);
    says(find("huge-pages", {}), "ok", /shmem_enabled: never; with advise, guests on KVM/, null);
    says(find("processors", { cpus: 1 }), "note", /^1 processor for/, /two or more/);
    const share = { "/sys/fs/cgroup/cpu.max": "150000 100000\n" };
    says(find("processors", { files: share }), "note", /^1\.5 processors .*share of 4/, /two or more/);
    says(find("processors", { files: { "/sys/fs/cgroup/cpu.max": "max 100000\n" } }), "ok", /^4 processors/, null);
    says(find("seccomp", { files: { "/proc/self/status": "Seccomp:\t2\n" } }), "ok", /filtered.*memfd_create/, null);
  });

  it("names programs that are not there, and that nothing else needs them", () => {
    const found = examine(host({ programs: ["g++", "make"] }), [bt]).filter(({ check }) => check === "programs");
    assert.deepEqual(
      found.map(({ level }) => level),
      ["ok", "ok", "ok"],
    );
    assert.match(found[0]!.says, /build the native parts: cmake not found/);
  });

  it("says nothing of what cannot be read", () => {
    const files = Object.fromEntries(Object.keys(GOOD_FILES).map((path) => [path, ""]));
    const checks = examine(host({ files }), [bt]).map(({ check }) => check);
    for (const check of ["memory", "limits", "huge-pages", "seccomp", "nested"]) assert.ok(!checks.includes(check), check);
  });
});

describe("ringzero doctor: virtualization", () => {
  const flags = (text: string) => ({ "/proc/cpuinfo": `flags\t\t: ${text}\n` });

  it("tells a processor without virtualization from a virtual machine without nesting", () => {
    says(find("processor", { files: flags("fpu vmx") }), "ok", /VT-x/, null);
    says(find("processor", { files: flags("fpu sse2") }), "note", /neither vmx nor svm/, /firmware/);
    says(find("processor", { files: flags("fpu hypervisor") }), "note", /virtual machine without nested/, /nested=1/);
  });

  it("tells why there is no /dev/kvm", () => {
    const missing = (files: Record<string, string>) => find("kvm-device", { access: () => "missing", files });
    says(missing({ "/proc/modules": "ext4 1 0 - Live 0x0\n" }), "note", /module kvm_amd is not loaded/, /sudo modprobe kvm_amd/);
    says(missing({ "/proc/modules": "ext4 1 0\n", ...flags("vmx") }), "note", /kvm_intel is not loaded/, /modprobe kvm_intel/);
    says(missing({}), "note", /though the module is loaded/, /mknod/);
    says(missing({ "/proc/modules": "ext4 1 0\n", ...flags("fpu") }), "note", /there is no \/dev\/kvm/, /check processor/);
    says(missing({ "/.dockerenv": "x" }), "note", /in this container/, /--device \/dev\/kvm/);
  });

  it("tells why /dev/kvm may not be opened", () => {
    const denied = (facts: Facts) => find("kvm-device", { access: () => "denied", ...facts });
    says(denied({}), "note", /carol may not open it: it is not in group kvm/, /usermod -aG kvm carol/);
    says(denied({ userName: "bob" }), "note", /older than its membership/, /newgrp kvm/);
    says(denied({ groupIds: [107] }), "note", /though it is in group kvm/, /chmod g\+rw/);
    says(denied({ groupOf: () => 0 }), "note", /may not open it/, /chgrp kvm/);
    says(denied({ files: { "/run/.containerenv": "x" } }), "note", /container/, /--group-add 107/);
  });

  it("believes in hardware only as far as it was measured", () => {
    says(find("kvm-ring0", {}), "ok", /in hardware, 600 million/, null);
    const slow = [bt, kvm({ calibratedInstructionsPerSecond: 9e5 })];
    says(find("kvm-ring0", {}, slow), "note", /ring 0 in software: 0\.9 million/, /`auto` does not take it/);
    const silent = [bt, kvm({ calibratedInstructionsPerSecond: null, calibrationNote: "not measured: no memory" })];
    says(find("kvm-ring0", {}, silent), "note", /could not be measured: not measured: no memory/, /try again/);
    const absent = examine(host(), [bt, kvm({ available: false })]);
    assert.ok(!absent.some(({ check }) => check === "kvm-ring0"));
  });

  it("sees nesting that is switched off", () => {
    const off = (value: string) => find("nested", { files: { "/sys/module/kvm_amd/parameters/nested": value } });
    says(off("0\n"), "note", /nested virtualization is off/, /options kvm_amd nested=1/);
    says(off("N\n"), "note", /off/, /modprobe\.d/);
  });
});

describe("ringzero doctor: backends", () => {
  const broken = (name: string, reason: string) =>
    backend(name, { available: false, reason, calibratedInstructionsPerSecond: null });

  it("takes one that does not work for trouble only where no other does", () => {
    says(find("backend-kvm", {}, [bt, broken("kvm", "no device")]), "note", /kvm does not work here: no device/, null);
    says(find("backend-bt", {}, [broken("bt", "not built")]), "trouble", /not built/, /other checks/);
    says(find("backends", {}, []), "trouble", /no backend is installed/, /add @ringzero\/backend-bt/);
  });

  it("explains an engine program that is missing, may not be executed, or gets no process", () => {
    const engine = (code: string) =>
      find("backend-bt", {}, [broken("bt", `the self-test does not pass: spawn /x/ringzero-engine ${code}`)]);
    says(engine("EACCES"), "trouble", /EACCES/, /chmod \+x/);
    says(engine("EAGAIN"), "trouble", /EAGAIN/, /ulimit -u/);
    says(engine("ENOENT"), "trouble", /ENOENT/, /missing/);
  });
});

describe("ringzero doctor", () => {
  it("examines this host, in words and as JSON", async () => {
    const { status, stdout } = await runCommand("doctor");
    assert.equal(status, 0, stdout); // the fake backend always works
    assert.match(stdout, /^ok {7}Linux on x86-64$/m);
    assert.match(stdout, /^ok {7}backend fake works: a fake always works$/m);
    assert.match(stdout, /^Machines run on this host; \d+ in trouble, \d+ to note\.$/m);
    const json = JSON.parse((await runCommand("doctor", "--json")).stdout) as { machinesRun: boolean; findings: Finding[] };
    assert.equal(json.machinesRun, true);
    assert.ok(json.findings.some(({ check, level }) => check === "node" && level === "ok"));
  });
});

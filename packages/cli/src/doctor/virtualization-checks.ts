// What stands between this host and guests that the processor runs itself: flags, module, device, permission, ring 0, nesting.
// Sources: Linux "KVM API", "Nested KVM"; CPU flags as in /proc/cpuinfo.

import type { BackendReport } from "@ringzero/api";
import { isHardwareSpeed } from "@ringzero/core";
import { type Finding, note, ok } from "./finding.js";
import type { HostReader } from "./host-reader.js";

const DEVICE = "/dev/kvm";

interface Processor {
  /** The kernel module that drives its virtualization; null: it shows none. */
  readonly module: "kvm_intel" | "kvm_amd" | null;
  /** It is itself a virtual one. */
  readonly virtual: boolean;
}

function processorOf(host: HostReader): Processor {
  const flags = new Set((/^flags\s*:(.*)$/m.exec(host.text("/proc/cpuinfo") ?? "")?.[1] ?? "").trim().split(/\s+/));
  return {
    module: flags.has("vmx") ? "kvm_intel" : flags.has("svm") ? "kvm_amd" : null,
    virtual: flags.has("hypervisor"),
  };
}

const inContainer = (host: HostReader): boolean => host.text("/.dockerenv") !== null || host.text("/run/.containerenv") !== null;

/** Whether the processor shows VT-x or AMD-V. */
export function checkProcessor(host: HostReader): Finding {
  const { module, virtual } = processorOf(host);
  if (module !== null) return ok("processor", `the processor has ${module === "kvm_intel" ? "VT-x (vmx)" : "AMD-V (svm)"}`);
  return virtual
    ? note(
        "processor",
        "this host is a virtual machine without nested virtualization: its processor shows neither vmx nor svm",
        "on the outer host, load kvm_intel or kvm_amd with nested=1 and give the VM the host's processor model; with a cloud provider, choose an instance with nested virtualization or bare metal. Until then machines run by translation",
      )
    : note(
        "processor",
        "the processor shows neither vmx nor svm",
        "switch VT-x or AMD-V (SVM) on in the firmware's settings. Until then machines run by translation",
      );
}

/** Whether /dev/kvm is there and may be used. */
export function checkKvmDevice(host: HostReader): Finding {
  const access = host.access(DEVICE);
  if (access === "ok") return ok("kvm-device", `${DEVICE} is there and may be opened`);
  return access === "denied" ? deniedDevice(host) : missingDevice(host);
}

function missingDevice(host: HostReader): Finding {
  const { module } = processorOf(host);
  const loaded = /^kvm_(intel|amd) /m.test(host.text("/proc/modules") ?? "");
  const says = `there is no ${DEVICE}`;
  if (inContainer(host))
    return note("kvm-device", `${says} in this container`, `start the container with --device ${DEVICE}, if its host has one`);
  if (loaded)
    return note("kvm-device", `${says}, though the module is loaded`, "make the node: mknod /dev/kvm c 10 232, or start udev");
  if (module !== null)
    return note(
      "kvm-device",
      `${says}: the module ${module} is not loaded`,
      `sudo modprobe ${module}; if that fails, the firmware may have virtualization switched off`,
    );
  return note("kvm-device", says, "nothing to do before the processor shows virtualization; see the check processor");
}

function deniedDevice(host: HostReader): Finding {
  const gid = host.groupOf(DEVICE);
  const group = (host.text("/etc/group") ?? "")
    .split("\n")
    .map((line) => line.split(":"))
    .find((fields) => gid !== null && fields[2] === String(gid));
  const says = `${DEVICE} is there, but ${host.userName} may not open it`;
  if (inContainer(host))
    return note(
      "kvm-device",
      `${says} in this container`,
      `give the container the group of the host's ${DEVICE}: --group-add ${gid ?? "GID"}`,
    );
  if (gid === 0 || group === undefined)
    return note(
      "kvm-device",
      says,
      `sudo chgrp kvm ${DEVICE} && sudo chmod 660 ${DEVICE}, and sudo usermod -aG kvm ${host.userName}`,
    );
  const name = group[0]!;
  if (host.groupIds.includes(gid!))
    return note("kvm-device", `${says}, though it is in group ${name}`, `sudo chmod g+rw ${DEVICE}`);
  if ((group[3] ?? "").split(",").includes(host.userName))
    return note(
      "kvm-device",
      `${says}: this login is older than its membership of group ${name}`,
      `log in anew, or run: newgrp ${name}`,
    );
  return note("kvm-device", `${says}: it is not in group ${name}`, `sudo usermod -aG ${name} ${host.userName}, then log in anew`);
}

/** Whether a backend that claims hardware has it: measured, not believed. */
export function checkRing0(report: BackendReport, others: readonly BackendReport[]): Finding | null {
  if (report.claimsHardware !== true || !report.available) return null;
  const check = `${report.name}-ring0`;
  const speed = report.calibratedInstructionsPerSecond;
  if (speed === null)
    return note(
      check,
      `ring 0 of backend ${report.name} could not be measured: ${report.calibrationNote ?? "no reason given"}`,
      "try again on a host that is less busy",
    );
  const fastest = Math.max(0, ...others.map((other) => other.calibratedInstructionsPerSecond ?? 0));
  if (isHardwareSpeed(speed, fastest))
    return ok(check, `ring 0 runs in hardware, ${millions(speed)} million instructions a second`);
  return note(
    check,
    `backend ${report.name} answers, but this host runs ring 0 in software: ${millions(speed)} million instructions a second`,
    "nothing inside this host mends it; it needs hardware or real nested virtualization. `auto` does not take it",
  );
}

/** Whether guests that are hypervisors could have KVM of their own. */
export function checkNested(host: HostReader): Finding | null {
  for (const module of ["kvm_intel", "kvm_amd"]) {
    const nested = host.text(`/sys/module/${module}/parameters/nested`)?.trim();
    if (nested === "1" || nested === "Y") return ok("nested", "guests on this host may have virtualization of their own");
    if (nested !== undefined)
      return note(
        "nested",
        "nested virtualization is off: only guests that are hypervisors themselves miss it",
        `echo options ${module} nested=1 | sudo tee /etc/modprobe.d/${module}.conf, and load the module anew`,
      );
  }
  return null;
}

const millions = (speed: number): string => (speed / 1e6).toFixed(speed < 1e7 ? 1 : 0);

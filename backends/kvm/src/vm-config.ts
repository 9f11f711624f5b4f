// What this engine can do on this host.

import type { BackendCapabilities } from "@ringzero/api";
import type { KvmProbe } from "./native-parts.js";

const LINK_MAX_VCPUS = 64; // what the shared structures hold

/** Tuning that the engine takes, by name, and the type of its value. */
export const ENGINE_OPTIONS: Readonly<Record<string, "number" | "boolean" | "string">> = {
  ioeventfd: "boolean", // false: a doorbell is an exit to this process, as where KVM has no KVM_IOEVENTFD
};

/** @param probe  what the host's KVM says */
export function capabilitiesFor({ maxVcpus, profiles }: KvmProbe): BackendCapabilities {
  const named = Object.keys(profiles).filter((name) => profiles[name] === "");
  const leastOnly = named.every((name) => name === "x86-64-v1");
  return {
    maxVcpus: Math.min(maxVcpus, LINK_MAX_VCPUS),
    maxMemoryBytes: 64 * 2 ** 30,
    cpuProfiles: leastOnly ? ["host", ...named] : [...named, "host"],
    saveState: true,
    dirtyLog: true,
    debug: true,
    doorbells: true,
    msi: true,
    memorySharing: true,
  };
}

/** Why each named CPU profile that this KVM does not give is missing. */
export function refusedProfiles({ profiles }: KvmProbe): Readonly<Record<string, string>> {
  const lacking = Object.entries(profiles).filter(([, lacks]) => lacks !== "");
  return Object.fromEntries(lacking.map(([name, lacks]) => [name, `this host's KVM lacks ${lacks}`]));
}

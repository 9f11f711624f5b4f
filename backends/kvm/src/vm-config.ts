// What this engine can do on this host.

import type { BackendCapabilities } from "@ringzero/api";
import type { KvmProbe } from "./native-parts.js";

const LINK_MAX_VCPUS = 64; // what the shared structures hold

/** Tuning that the engine takes, by name, and the type of its value. */
export const ENGINE_OPTIONS: Readonly<Record<string, "number" | "boolean" | "string">> = {
  ioeventfd: "boolean", // false: a doorbell is an exit to this process, as where KVM has no KVM_IOEVENTFD
  hugePages: "boolean", // false: guest RAM stays in the pages that the host gives it by itself, of 4 KiB as a rule
};

/** @param probe  what the host's KVM says */
export function capabilitiesFor({ maxVcpus, v1, v2, v3 }: KvmProbe): BackendCapabilities {
  return {
    maxVcpus: Math.min(maxVcpus, LINK_MAX_VCPUS),
    maxMemoryBytes: 64 * 2 ** 30,
    cpuProfiles: [...(v2 ? ["x86-64-v2"] : []), ...(v3 ? ["x86-64-v3"] : []), "host", ...(v1 ? ["x86-64-v1"] : [])],
    saveState: true,
    dirtyLog: true,
    debug: true,
    doorbells: true,
    msi: true,
    memorySharing: true,
  };
}

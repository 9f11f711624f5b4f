// What this engine can do on this host.

import type { BackendCapabilities } from "@ringzero/api";

const LINK_MAX_VCPUS = 64; // what the shared structures hold

/** @param maxVcpus  as the host's KVM says; 0 when it cannot be used */
export function capabilitiesFor(maxVcpus: number): BackendCapabilities {
  return {
    maxVcpus: Math.min(maxVcpus, LINK_MAX_VCPUS),
    maxMemoryBytes: 64 * 2 ** 30,
    cpuProfiles: ["host"],
    saveState: true,
    dirtyLog: true,
    debug: true,
    doorbells: true,
    msi: true,
    memorySharing: true,
  };
}

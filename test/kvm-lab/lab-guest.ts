// The stock Linux that parts of the lab run on its KVM.

import type { DebianImages } from "@ringzero/boot";
import { LinuxGuest } from "../system/linux-guest.js";
import { LAB_PROFILE, PATIENCE_MS } from "./lab-lacks.js";

export function bootLabGuest(images: DebianImages, cpus: number): Promise<LinuxGuest> {
  return LinuxGuest.boot(images, {
    backend: "kvm",
    cpus,
    memory: "256MiB",
    cpuProfile: LAB_PROFILE,
    patienceMs: PATIENCE_MS,
  });
}

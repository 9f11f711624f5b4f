// What QEMU's emulated AMD-V does otherwise than a processor, so that guests in the lab must do without it. Each was seen with a guest of a few
// instructions on the lab's /dev/kvm, with QEMU 7.2 and, where it says so, 11.1; the shadow, once in three runs of the suite, by its case.

import type { Feature } from "@ringzero/conformance";
import { atLeast } from "./lab-qemu.js";

/** Variable of the lab's environment: the version of the QEMU that emulates its processor. */
export const LAB_QEMU = "RINGZERO_LAB_QEMU";

/** QEMU 7.2 does not, 11.1 does; the versions between were not tried. */
const interceptsXsetbv = atLeast(process.env[LAB_QEMU] ?? "0.0", "11.1");

/** Features of the published suites that guests on the lab's KVM do not have, each with the reason. */
export const LAB_LACKS: Readonly<Partial<Record<Feature, string>>> = {
  ...(interceptsXsetbv ? {} : { avx: "QEMU before 11.1 does not intercept the guest's XSETBV" }),
  "interrupt-shadow":
    "QEMU's VMRUN does not load the shadow that its exit saved (int_state), so that an exit for the host within it loses it",
  breakpoints: "QEMU's VMRUN loads DR7 without arming the breakpoints in it",
};

/** For one thing in the lab, whose processor is slow, and slower still where its host is busy. */
export const PATIENCE_MS = 600_000;

/**
 * The profile of the lab's guests. QEMU 7.2 does not intercept XSETBV: the guest's changes the XCR0 of the kernel around it, KVM never hears of
 * it, CPUID 0Dh keeps telling the size of x87 and SSE alone, and KVM's own XCR0 is back after the next exit, so that AVX is #UD. `host` has
 * XSAVE, and the emulated processor lacks the PCID of `x86-64-v2`.
 */
export const LAB_PROFILE = "x86-64-v1";

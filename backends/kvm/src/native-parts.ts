// Where the compiled part of this backend is, and what it says of this host.

import { loadAddon, type NativeAddon, nativeFile } from "@ringzero/native";

/** What the addon found out about /dev/kvm. */
export interface KvmProbe {
  /** Why KVM cannot be used here and what to do about it; empty when it can. */
  readonly failure: string;
  readonly maxVcpus: number;
  /** By CPU profile, best first: the features of it that this KVM lacks, in words; empty when it has them all. */
  readonly profiles: Readonly<Record<string, string>>;
}

interface KvmAddon extends NativeAddon {
  /** Opens /dev/kvm, makes an empty machine and closes both: some milliseconds. */
  probe(): KvmProbe;
}

const PACKAGE_ROOT = new URL("../", import.meta.url);
const FOLDER_VARIABLE = "RINGZERO_KVM_NATIVE";
let addon: KvmAddon | undefined;

/** The addon, loaded once per thread. @throws Error when it is not built or does not load here */
export function nativeAddon(): KvmAddon {
  addon ??= loadAddon(nativeFile(PACKAGE_ROOT, "ringzero_kvm.node", FOLDER_VARIABLE)) as KvmAddon;
  return addon;
}

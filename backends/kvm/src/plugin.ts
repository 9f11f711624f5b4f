// The backend as a plugin: how a registry, or a worker, finds it by this package's name.

import { definePlugin } from "@ringzero/api";
import { KvmBackend } from "./kvm-backend.js";
import { nativeAddon } from "./native-parts.js";

export const kvmBackend = definePlugin({
  name: "kvm",
  kind: "backend",
  api: { min: 1, max: 1 },
  summary: "Linux KVM: the speed of the processor's virtualization",
  module: import.meta.url,
  prepare: nativeAddon,
  create: () => new KvmBackend(),
});

export default kvmBackend;

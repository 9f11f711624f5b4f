// The backend as a plugin: how a registry, or a worker, finds it by this package's name.

import { definePlugin } from "@ringzero/api";
import { BtBackend } from "./bt-backend.js";
import { nativeAddon } from "./native-parts.js";

export const btBackend = definePlugin({
  name: "bt",
  kind: "backend",
  api: { min: 1, max: 1 },
  summary: "Binary translation: needs no virtualization support",
  module: import.meta.url,
  prepare: nativeAddon,
  create: () => new BtBackend(),
});

export default btBackend;

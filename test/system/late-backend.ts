// A backend whose engines take their time to become what a state says: for the time limit of a move. In a module of its own, so that a
// machine's worker can open it too.

import { definePlugin } from "@ringzero/api";
import { BtBackend } from "@ringzero/backend-bt";
import { AlteredBackend } from "../conformance/altered-backend.js";

export const LATE_MS = 2000;

export default definePlugin({
  name: "late",
  kind: "backend",
  api: { min: 1, max: 1 },
  module: import.meta.url,
  create: () =>
    new AlteredBackend(new BtBackend(), {
      vm: (vm) => ({
        loadState: async (state) => {
          await new Promise((later) => setTimeout(later, LATE_MS));
          await vm.loadState(state);
        },
      }),
    }),
});

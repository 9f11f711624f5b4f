// Public entry of @ringzero/backend-bt. The default export is the backend plugin, for a registry.

export { BtBackend } from "./bt-backend.js";
export { BtVm } from "./bt-vm.js";
export { btBackend, default } from "./plugin.js";

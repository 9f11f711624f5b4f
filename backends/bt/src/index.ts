// Public entry of @ringzero/backend-bt.

export { BtBackend } from "./bt-backend.js";
export { BtVm } from "./bt-vm.js";

// Public entry of @ringzero/backend-kvm. The default export is the backend plugin, for a registry.

export { KvmBackend } from "./kvm-backend.js";
export { KvmVm } from "./kvm-vm.js";
export { default, kvmBackend } from "./plugin.js";

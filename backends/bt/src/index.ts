// Public entry of @ringzero/backend-bt. The default export is the backend plugin, for a registry.

export { BtBackend } from "./bt-backend.js";
export { BtVm } from "./bt-vm.js";
export {
  LOCKSTEP_AGAINST,
  LOCKSTEP_LONGEST_BLOCK,
  type LockstepAgainst,
  type LockstepOptions,
  type LockstepResult,
  lockstep,
} from "./lockstep.js";
export { btBackend, default } from "./plugin.js";

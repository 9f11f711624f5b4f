// Public entry of @ringzero/native: what a backend's TypeScript half needs besides its own addon. The C++ half is in the same
// folder: CMakeLists.txt, shared/, host/, peer/, ring/, uart/, binding/.

export { CommandQueue } from "./command-queue.js";
export { EngineVm, hostCall } from "./engine-vm.js";
export { GuestRam, type RamSource } from "./guest-ram.js";
export { loadAddon, nativeFile } from "./native-files.js";
export { Command, type EngineEnd, type NativeAddon, type NativeVm, type NativeVmOptions } from "./native-vm.js";
export { type ConfigRules, type EngineOption, toNativeOptions } from "./vm-config.js";

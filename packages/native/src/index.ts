// Public entry of @ringzero/native: what a backend's TypeScript half needs besides its own addon. The C++ half is in the same
// folder: CMakeLists.txt, shared/, host/, peer/, ring/, uart/.

export { GuestRam, type RamSource } from "./guest-ram.js";
export { loadAddon, nativeFile } from "./native-files.js";

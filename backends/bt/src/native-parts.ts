// Where the compiled parts of this backend are: the addon and the engine program.

import { loadAddon, type NativeAddon, nativeFile } from "@ringzero/native";

const PACKAGE_ROOT = new URL("../", import.meta.url);
const FOLDER_VARIABLE = "RINGZERO_BT_NATIVE";
let addon: NativeAddon | undefined;

/** Path of the engine program. @throws Error when it is not built */
export function enginePath(): string {
  return nativeFile(PACKAGE_ROOT, "ringzero-engine", FOLDER_VARIABLE);
}

/** The addon, loaded once per thread. @throws Error when it is not built or does not load here */
export function nativeAddon(): NativeAddon {
  addon ??= loadAddon(nativeFile(PACKAGE_ROOT, "ringzero_bt.node", FOLDER_VARIABLE)) as NativeAddon;
  return addon;
}

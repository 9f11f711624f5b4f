// Public entry of @ringzero/devices: the PC's device plugins and the platform that composes them.
// The default export is the array of all plugins here, for a registry.

import { acpiPmPlugin } from "./acpi-pm.js";
import { debugExitPlugin } from "./debug-exit.js";
import { i8042Plugin } from "./i8042.js";
import { logPortPlugin } from "./log-port.js";
import { pcPlatform } from "./pc-platform.js";
import { postCardPlugin } from "./post-card.js";
import { rtcPlugin } from "./rtc.js";
import { systemControlPlugin } from "./system-control.js";

export { acpiPmPlugin } from "./acpi-pm.js";
export { PM_TIMER_HZ } from "./acpi-pm-block.js";
export { debugExitPlugin } from "./debug-exit.js";
export { i8042Plugin, type MoveMouse, type PressKeys } from "./i8042.js";
export { logPortPlugin } from "./log-port.js";
export { PC_DEVICES, pcPlatform } from "./pc-platform.js";
export { postCardPlugin } from "./post-card.js";
export { cmosContents, rtcPlugin } from "./rtc.js";
export { systemControlPlugin } from "./system-control.js";

export default [
  acpiPmPlugin,
  debugExitPlugin,
  i8042Plugin,
  logPortPlugin,
  pcPlatform,
  postCardPlugin,
  rtcPlugin,
  systemControlPlugin,
] as const;

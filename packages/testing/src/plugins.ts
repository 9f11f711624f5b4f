// The module by which a worker, or discovery, finds the plugins of this package.

import { fakeBackendPlugin } from "./fake-backend.js";
import { fakeBootPlugin } from "./fake-boot.js";
import { fakePlatformPlugin, fakePowerPlugin } from "./fake-platform.js";

export const fakePlugins = [fakeBackendPlugin, fakeBootPlugin, fakePlatformPlugin, fakePowerPlugin] as const;

export default fakePlugins;

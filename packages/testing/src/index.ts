// Public entry of @ringzero/testing: what a plugin author needs to test without an engine.

export { ArrayMemory, type Touch } from "./array-memory.js";
export { cable, CableEnd, type CableOptions } from "./cable.js";
export { FakeBackend, fakeBackendPlugin, type FakeOptions, FakeVm } from "./fake-backend.js";
export { FAKE_KERNEL_AT, fakeBootPlugin } from "./fake-boot.js";
export { FakeClock } from "./fake-clock.js";
export { FAKE_POWER, fakePlatformPlugin, fakePowerPlugin } from "./fake-platform.js";
export { fakeGuest, type FakeStep } from "./fake-script.js";
export { FakeUart } from "./fake-uart.js";
export { fakeRegisters, FakeVcpu } from "./fake-vcpu.js";
export { MemoryDisk, MemoryDiskContent, type MemoryDiskOptions } from "./memory-disk.js";
export { fakePlugins } from "./plugins.js";

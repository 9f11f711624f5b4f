// Device plugin `rtc`: an MC146818 clock and 128 bytes of CMOS RAM at ports 70h–71h, interrupt line 8.
// It also tells in CMOS RAM what a PC's firmware keeps there and old software reads: how much memory, how many processors.

import { definePlugin, PC_ADDRESSES, PC_IRQS, PC_PORTS, RingzeroError, Type } from "@ringzero/api";
import { Mc146818 } from "./mc146818.js";

const OPEN_BUS = 0xff;

/** CMOS addresses, as listed for the AT and used by SeaBIOS. Sizes are little-endian over two or three bytes. */
const CMOS = {
  equipment: 0x14,
  baseKib: 0x15, // conventional memory
  extendedKib: 0x17, // above 1 MiB, at most 63 MiB; repeated where old power-on self-tests keep it
  extendedKibFound: 0x30,
  checksum: 0x2e, // of 10h..2Dh, big-endian
  above16Mib: 0x34, // in 64 KiB units, below 4 GiB
  above4Gib: 0x5b, // in 64 KiB units, three bytes
  cpusLessOne: 0x5f,
} as const;

/** Bytes of CMOS RAM that a firmware would have written, by address. */
export function cmosContents(memoryBytes: number, cpus: number): ReadonlyMap<number, number> {
  const bytes = new Map<number, number>();
  const put = (at: number, value: number, count: number) => {
    for (let i = 0; i < count; i++) bytes.set(at + i, Math.floor(value / 256 ** i) & 0xff);
  };
  const KIB = 1024;
  const SIXTEEN_MIB = 16 * KIB * KIB;
  const low = Math.min(memoryBytes, PC_ADDRESSES.lowMemoryEnd);
  const extendedKib = Math.min((low - PC_ADDRESSES.highMemory) / KIB, 63 * KIB);
  const COPROCESSOR = 0x02;
  bytes.set(CMOS.equipment, COPROCESSOR);
  put(CMOS.baseKib, PC_ADDRESSES.conventionalEnd / KIB, 2);
  put(CMOS.extendedKib, extendedKib, 2);
  put(CMOS.extendedKibFound, extendedKib, 2);
  put(CMOS.above16Mib, Math.max(0, (low - SIXTEEN_MIB) / (64 * KIB)), 2);
  put(CMOS.above4Gib, (memoryBytes - low) / (64 * KIB), 3);
  bytes.set(CMOS.cpusLessOne, Math.min(cpus - 1, 255));
  let sum = 0;
  for (let at = 0x10; at <= 0x2d; at++) sum += bytes.get(at) ?? 0;
  bytes.set(CMOS.checksum, sum >> 8);
  bytes.set(CMOS.checksum + 1, sum & 0xff);
  return bytes;
}

export const rtcPlugin = definePlugin({
  name: "rtc",
  kind: "device",
  api: { min: 1, max: 1 },
  summary: "MC146818 real-time clock and CMOS RAM",
  module: import.meta.url,
  options: Type.Object(
    {
      /** Milliseconds by which the guest's clock differs from the host's. */
      offsetMs: Type.Optional(Type.Number({ default: 0, description: "Guest time less host time, in milliseconds." })),
    },
    { additionalProperties: false },
  ),
  attach(machine, options) {
    const line = machine.interrupts.line(PC_IRQS.rtc);
    let asserted = false;
    const offsetMs = options.offsetMs ?? 0;
    const chip = new Mc146818({
      wallTimeMs: () => machine.clock.wallMs() + offsetMs,
      schedule: (delayMs, callback) => {
        const timer = machine.clock.after(delayMs, callback);
        return () => timer.release();
      },
      setInterrupt: (level) => {
        if (level === asserted) return;
        asserted = level;
        line.set(level);
      },
    });
    for (const [at, value] of cmosContents(machine.machine.memoryBytes, machine.machine.cpus)) chip.preset(at, value);
    let selected = 0;
    machine.ports.claim(
      { first: PC_PORTS.rtcIndex, count: 2 },
      {
        read: (port) => (port === PC_PORTS.rtcData ? chip.read(selected) : OPEN_BUS), // the index cannot be read
        write: (port, value) => {
          if (port === PC_PORTS.rtcIndex)
            selected = value & 0x7f; // bit 7 masks NMIs, of which there are none
          else chip.write(selected, value & 0xff);
        },
      },
    );
    return {
      reset: () => chip.reset(),
      pause: () => chip.dispose(),
      resume: () => chip.resume(),
      saveState: async () => ({ version: 1, data: { selected, chip: chip.save() } }),
      loadState: async (state) => {
        if (state.version !== 1)
          throw new RingzeroError("VM_UNSUPPORTED", `rtc: state version ${state.version} is not known; this version knows 1`);
        const data = state.data as { selected: number; chip: ReturnType<Mc146818["save"]> };
        selected = data.selected;
        chip.restore(data.chip);
      },
      dispose: () => chip.dispose(),
    };
  },
});

export default rtcPlugin;

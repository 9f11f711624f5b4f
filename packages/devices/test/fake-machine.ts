// A machine for device tests: buses, lines and a clock under the test's hand. Only what a device may see of a machine.

import type { AttachedDevice, Claim, DevicePlugin, DoorbellMatch, MachineContext, PortHandler } from "@ringzero/api";
import { RingzeroError } from "@ringzero/api";

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

export class FakeMachine {
  nowMs = 0;
  /** Wall time at `nowMs` 0. */
  wallStartMs = Date.UTC(2024, 1, 29, 23, 59, 50); // a leap day, ten seconds before it ends
  memoryBytes = 512 * 2 ** 20;
  cpus = 1;
  offersDoorbells = false;
  readonly doorbells: DoorbellMatch[] = [];
  readonly lines = new Map<number, boolean>();
  /** Every change of a line, as `irq 8 up`. */
  readonly edges: string[] = [];
  /** What the device asked of the machine. */
  readonly power: string[] = [];
  readonly logged: { level: string; fields: Readonly<Record<string, unknown>>; message: string }[] = [];
  readonly #ports: { first: number; count: number; handler: PortHandler }[] = [];
  #timers: Timer[] = [];

  /** Attach a plugin as core does: options checked and filled in by its schema are the test's business. */
  async attach(plugin: DevicePlugin, options: object = {}): Promise<AttachedDevice> {
    return (await plugin.attach(this.context(plugin.name), options as never)) ?? {};
  }

  get armedTimers(): number {
    return this.#timers.length;
  }

  /** Let time pass, timers going off in order at their own time. */
  advance(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      const next = this.#timers.filter((timer) => timer.dueMs <= end).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.nowMs = Math.max(this.nowMs, next.dueMs);
      next.callback();
    }
    this.nowMs = end;
  }

  out(port: number, value: number, size: 1 | 2 | 4 = 1): void {
    const handler = this.#handler(port);
    if (!handler) return;
    if ((handler.sizes ?? [1]).includes(size)) handler.write?.(port, value, size);
    else for (let i = 0; i < size; i++) this.out(port + i, Math.floor(value / 256 ** i) & 0xff);
  }

  in(port: number, size: 1 | 2 | 4 = 1): number {
    const handler = this.#handler(port);
    if (!handler) return 2 ** (8 * size) - 1;
    if ((handler.sizes ?? [1]).includes(size)) return handler.read?.(port, size) ?? 2 ** (8 * size) - 1;
    let value = 0;
    for (let i = 0; i < size; i++) value += this.in(port + i) * 256 ** i;
    return value;
  }

  #handler(port: number): PortHandler | undefined {
    return this.#ports.find(({ first, count }) => port >= first && port < first + count)?.handler;
  }

  context(id: string): MachineContext {
    const log = (level: string) => (fields: Readonly<Record<string, unknown>>, message: string) =>
      void this.logged.push({ level, fields, message });
    const refuse = () => {
      throw new Error("not part of the fake machine");
    };
    return {
      machine: { name: "fake", cpus: this.cpus, memoryBytes: this.memoryBytes },
      id,
      ports: {
        claim: (range, handler): Claim => {
          const entry = { ...range, handler };
          const clash = this.#ports.find(({ first, count }) => range.first < first + count && first < range.first + range.count);
          if (clash) throw new RingzeroError("BUS_OVERLAP", `port ${range.first} is taken`);
          this.#ports.push(entry);
          return { release: () => void this.#ports.splice(this.#ports.indexOf(entry), 1) };
        },
      },
      mmio: { claim: refuse },
      interrupts: {
        line: (gsi) => {
          const set = (asserted: boolean) => {
            if (this.lines.get(gsi) === asserted) return;
            this.lines.set(gsi, asserted);
            this.edges.push(`irq ${gsi} ${asserted ? "up" : "down"}`);
          };
          return {
            gsi,
            set,
            pulse: () => {
              set(true);
              set(false);
            },
          };
        },
        msi: refuse,
      },
      memory: { sizeBytes: this.memoryBytes, view: refuse, write: refuse, read: refuse, touched: refuse },
      clock: {
        nowNs: () => BigInt(Math.round(this.nowMs * 1e6)),
        wallMs: () => this.wallStartMs + this.nowMs,
        after: (delayMs, callback): Claim => {
          const timer = { dueMs: this.nowMs + delayMs, callback };
          this.#timers.push(timer);
          return { release: () => void (this.#timers = this.#timers.filter((other) => other !== timer)) };
        },
      },
      log: { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") },
      power: {
        requestPowerOff: () => void this.power.push("power-off"),
        requestReset: () => void this.power.push("reset"),
        exit: (code) => void this.power.push(`exit ${code}`),
      },
      uarts: [],
      signal: new AbortController().signal,
      doorbell: (match) => {
        if (!this.offersDoorbells) throw new RingzeroError("VM_UNSUPPORTED", "no doorbells");
        this.doorbells.push(match);
        return { dispose: () => void this.doorbells.splice(this.doorbells.indexOf(match), 1) };
      },
    };
  }
}

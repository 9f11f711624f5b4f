// The MC146818 real-time clock and its CMOS RAM, as a chip without ports: registers in, registers out, one interrupt line.
// Driven lazily: nothing ticks. Every access works out from the clock what has happened since the last one, and a timer is armed
// only while the guest has an interrupt enabled. Source: Motorola MC146818A data sheet.
// What must stay true: times are UTC; a guest that sets the clock moves an offset, never the host's clock.

/** What the chip needs of its surroundings. */
export interface RtcHost {
  /** Wall time in milliseconds since 1970, UTC. */
  wallTimeMs(): number;
  /** Call back once after `delayMs`; returns how to call it off. */
  schedule(delayMs: number, callback: () => void): () => void;
  /** Drive the interrupt output. */
  setInterrupt(asserted: boolean): void;
}

export const RTC_REGISTER = {
  seconds: 0x00,
  secondsAlarm: 0x01,
  minutes: 0x02,
  minutesAlarm: 0x03,
  hours: 0x04,
  hoursAlarm: 0x05,
  dayOfWeek: 0x06,
  dayOfMonth: 0x07,
  month: 0x08,
  year: 0x09,
  a: 0x0a,
  b: 0x0b,
  c: 0x0c,
  d: 0x0d,
  century: 0x32,
} as const;
const R = RTC_REGISTER;

const A_UIP = 0x80;
const B_SET = 0x80;
const B_PIE = 0x40;
const B_AIE = 0x20;
const B_UIE = 0x10;
const B_BINARY = 0x04;
const B_24H = 0x02;
const C_IRQF = 0x80;
const C_PF = 0x40;
const C_AF = 0x20;
const C_UF = 0x10;
const D_VRT = 0x80; // the battery is good
const PM = 0x80;

/** Update-in-progress stands for 244 µs before an update and for the 1984 µs that it takes. */
const UIP_MS = 2.228;
/** Timers of the host are not finer; faster periodic interrupts are merged. */
const SHORTEST_TIMER_MS = 1;
const LONGEST_TIMER_MS = 24 * 3600 * 1000;
const SECONDS_A_DAY = 86_400;

const TIME_REGISTERS: ReadonlySet<number> = new Set([
  R.seconds,
  R.minutes,
  R.hours,
  R.dayOfWeek,
  R.dayOfMonth,
  R.month,
  R.year,
  R.century,
]);

export class Mc146818 {
  readonly #host: RtcHost;
  /** CMOS bytes; those of the time are stale except while B.SET holds the clock. */
  readonly #bytes = new Uint8Array(128);
  /** Guest time less wall time. */
  #offsetMs = 0;
  /** Guest time, up to which flags in register C are worked out. */
  #seenMs: number;
  #cancelTimer: (() => void) | null = null;

  constructor(host: RtcHost) {
    this.#host = host;
    this.#bytes[R.a] = 0x26; // 32.768 kHz time base, 1024 Hz
    this.#bytes[R.b] = B_24H;
    this.#bytes[R.d] = D_VRT;
    this.#seenMs = host.wallTimeMs();
  }

  /** Read a register or a byte of CMOS RAM, 0..127. */
  read(register: number): number {
    if (this.#isTime(register)) return this.#holding ? this.#bytes[register]! : this.#timeRegister(register, this.#nowMs());
    switch (register) {
      case R.a:
        return (this.#bytes[R.a]! & ~A_UIP) | (this.#updateInProgress() ? A_UIP : 0);
      case R.c: {
        this.#catchUp();
        const flags = this.#bytes[R.c]!;
        this.#bytes[R.c] = 0;
        this.#host.setInterrupt(false);
        this.#arm();
        return flags;
      }
      default:
        return this.#bytes[register & 0x7f]!;
    }
  }

  write(register: number, value: number): void {
    this.#catchUp();
    if (this.#isTime(register)) this.#writeTime(register, value);
    else if (register === R.a) this.#bytes[R.a] = value & ~A_UIP;
    else if (register === R.b) this.#writeB(value);
    else if (register !== R.c && register !== R.d) this.#bytes[register & 0x7f] = value;
    this.#arm();
  }

  /** Put a byte of CMOS RAM where no guest did: what firmware would have found out. */
  preset(register: number, value: number): void {
    this.#bytes[register] = value;
  }

  /** The RESET# input: interrupts off, flags cleared; time and RAM stay. */
  reset(): void {
    this.#bytes[R.b] = this.#bytes[R.b]! & ~(B_PIE | B_AIE | B_UIE);
    this.#bytes[R.c] = 0;
    this.#host.setInterrupt(false);
    this.#arm();
  }

  /** Everything that a snapshot needs. */
  save(): { bytes: number[]; offsetMs: number } {
    this.#catchUp();
    return { bytes: [...this.#bytes], offsetMs: this.#offsetMs };
  }

  restore(state: { bytes: readonly number[]; offsetMs: number }): void {
    this.#bytes.set(state.bytes);
    this.#offsetMs = state.offsetMs;
    this.#seenMs = this.#nowMs();
    this.#host.setInterrupt((this.#bytes[R.c]! & C_IRQF) !== 0);
    this.#arm();
  }

  /** Arm no timer until `resume`, or the next access. */
  dispose(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  /** Go on after `dispose`. What happened in between is noticed at once. */
  resume(): void {
    this.#catchUp();
    this.#arm();
  }

  get #holding(): boolean {
    return (this.#bytes[R.b]! & B_SET) !== 0;
  }

  #isTime(register: number): boolean {
    return TIME_REGISTERS.has(register);
  }

  #nowMs(): number {
    return this.#host.wallTimeMs() + this.#offsetMs;
  }

  /** The divider held in reset, or by B.SET, stops updates. */
  get #running(): boolean {
    const DIVIDER_RESET = 0x60;
    return !this.#holding && (this.#bytes[R.a]! & DIVIDER_RESET) !== DIVIDER_RESET;
  }

  #updateInProgress(): boolean {
    return this.#running && mod(this.#nowMs(), 1000) >= 1000 - UIP_MS;
  }

  #encode(value: number): number {
    return (this.#bytes[R.b]! & B_BINARY) !== 0 ? value : (Math.floor(value / 10) << 4) | (value % 10);
  }

  #decode(value: number): number {
    return (this.#bytes[R.b]! & B_BINARY) !== 0 ? value : (value >> 4) * 10 + (value & 0xf);
  }

  #encodeHours(hours: number): number {
    if ((this.#bytes[R.b]! & B_24H) !== 0) return this.#encode(hours);
    return this.#encode(hours % 12 || 12) | (hours >= 12 ? PM : 0);
  }

  #decodeHours(value: number): number {
    if ((this.#bytes[R.b]! & B_24H) !== 0) return this.#decode(value);
    return (this.#decode(value & ~PM) % 12) + ((value & PM) !== 0 ? 12 : 0);
  }

  #timeRegister(register: number, atMs: number): number {
    const date = new Date(atMs);
    switch (register) {
      case R.seconds:
        return this.#encode(date.getUTCSeconds());
      case R.minutes:
        return this.#encode(date.getUTCMinutes());
      case R.hours:
        return this.#encodeHours(date.getUTCHours());
      case R.dayOfWeek:
        return this.#encode(date.getUTCDay() + 1); // Sunday is 1
      case R.dayOfMonth:
        return this.#encode(date.getUTCDate());
      case R.month:
        return this.#encode(date.getUTCMonth() + 1);
      case R.year:
        return this.#encode(date.getUTCFullYear() % 100);
      default:
        return this.#encode(Math.floor(date.getUTCFullYear() / 100));
    }
  }

  #writeTime(register: number, value: number): void {
    if (!this.#holding) this.#latch();
    this.#bytes[register] = value;
    if (!this.#holding) this.#applyLatched(mod(this.#nowMs(), 1000));
  }

  #writeB(value: number): void {
    const wasHolding = this.#holding;
    if (!wasHolding && (value & B_SET) !== 0) this.#latch();
    this.#bytes[R.b] = value & ((value & B_SET) !== 0 ? ~B_UIE : 0xff); // SET clears UIE
    if (wasHolding && !this.#holding) this.#applyLatched(0);
    this.#raiseIfEnabled();
  }

  /** Copy the running time into the registers. */
  #latch(): void {
    const now = this.#nowMs();
    for (const register of TIME_REGISTERS) this.#bytes[register] = this.#timeRegister(register, now);
  }

  /** Let the clock run on from what the registers say; values out of range carry, as the counters would in the end. */
  #applyLatched(millisecond: number): void {
    const of = (register: number) => this.#decode(this.#bytes[register]!);
    const year = of(R.century) * 100 + of(R.year);
    const set = new Date(0);
    set.setUTCFullYear(year, of(R.month) - 1, of(R.dayOfMonth));
    set.setUTCHours(this.#decodeHours(this.#bytes[R.hours]!), of(R.minutes), of(R.seconds), 0);
    const guestMs = set.getTime() + millisecond;
    if (Number.isFinite(guestMs)) this.#offsetMs = guestMs - this.#host.wallTimeMs();
    this.#seenMs = this.#nowMs();
  }

  /** Milliseconds between periodic interrupts; null when they are off. */
  get #periodMs(): number | null {
    const rate = this.#bytes[R.a]! & 0xf;
    if (rate === 0) return null;
    // Rates 1 and 2 repeat 8 and 9 with this time base.
    return 1000 / (32_768 >> ((rate <= 2 ? rate + 7 : rate) - 1));
  }

  /** Set the flags of everything that happened since `#seenMs`. */
  #catchUp(): void {
    const now = this.#nowMs();
    const before = this.#seenMs;
    if (now < before) {
      this.#seenMs = now; // the host's clock was set back
      return;
    }
    this.#seenMs = now;
    let flags = 0;
    const period = this.#periodMs;
    if (period !== null && Math.floor(now / period) > Math.floor(before / period)) flags |= C_PF;
    if (this.#running) {
      if (Math.floor(now / 1000) > Math.floor(before / 1000)) flags |= C_UF;
      const alarm = this.#nextAlarm(before);
      if (alarm !== null && alarm <= now) flags |= C_AF;
    }
    this.#bytes[R.c] = this.#bytes[R.c]! | flags;
    this.#raiseIfEnabled();
  }

  #raiseIfEnabled(): void {
    const enabled = this.#bytes[R.b]! & this.#bytes[R.c]! & (C_PF | C_AF | C_UF); // the enable bits stand at the places of the flags
    if (enabled === 0) return;
    this.#bytes[R.c] = this.#bytes[R.c]! | C_IRQF;
    this.#host.setInterrupt(true);
  }

  /** When, after `afterMs`, the clock next shows the alarm time; null when it never can. */
  #nextAlarm(afterMs: number): number | null {
    const DONT_CARE = 0xc0;
    const wanted = (register: number, decode: (value: number) => number): number | null => {
      const value = this.#bytes[register]!;
      return (value & DONT_CARE) === DONT_CARE ? null : decode(value);
    };
    const seconds = wanted(R.secondsAlarm, (value) => this.#decode(value));
    const minutes = wanted(R.minutesAlarm, (value) => this.#decode(value));
    const hours = wanted(R.hoursAlarm, (value) => this.#decodeHours(value));
    const first = Math.floor(afterMs / 1000) + 1;
    for (let second = first; second < first + SECONDS_A_DAY; ) {
      const ofDay = mod(second, SECONDS_A_DAY);
      if (hours !== null && Math.floor(ofDay / 3600) !== hours) second += 3600 - (ofDay % 3600);
      else if (minutes !== null && Math.floor(ofDay / 60) % 60 !== minutes) second += 60 - (ofDay % 60);
      else if (seconds !== null && ofDay % 60 !== seconds) second++;
      else return second * 1000;
    }
    return null;
  }

  /** Have the timer go off at the next event that interrupts; none while an interrupt is pending, until it is read. */
  #arm(): void {
    this.dispose();
    if ((this.#bytes[R.c]! & C_IRQF) !== 0) return;
    const now = this.#nowMs();
    const b = this.#bytes[R.b]!;
    const events: number[] = [];
    const period = this.#periodMs;
    if ((b & B_PIE) !== 0 && period !== null) events.push((Math.floor(now / period) + 1) * period);
    if ((b & B_UIE) !== 0 && this.#running) events.push((Math.floor(now / 1000) + 1) * 1000);
    if ((b & B_AIE) !== 0 && this.#running) {
      const alarm = this.#nextAlarm(now);
      if (alarm !== null) events.push(alarm);
    }
    if (events.length === 0) return;
    const delayMs = Math.min(Math.max(Math.min(...events) - now, SHORTEST_TIMER_MS), LONGEST_TIMER_MS);
    this.#cancelTimer = this.#host.schedule(delayMs, () => {
      this.#cancelTimer = null;
      this.#catchUp();
      this.#arm();
    });
  }
}

/** The remainder that is never negative. */
function mod(value: number, by: number): number {
  return ((value % by) + by) % by;
}

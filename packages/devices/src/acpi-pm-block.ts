// The fixed ACPI hardware: PM1 event and control block, PM timer, GPE0 block, as a chip without ports.
// Source: ACPI specification, "ACPI Hardware Specification", "Fixed Hardware Registers". SCI_EN always reads 1: there is no SMI mode.
// What must stay true: SCI is asserted exactly while an enabled status bit is set.

import { ACPI_SLEEP_TYPE_S5 } from "@ringzero/api";

export interface AcpiPmHost {
  /** Monotonic time in milliseconds, with fractions. */
  monotonicMs(): number;
  schedule(delayMs: number, callback: () => void): () => void;
  setSci(asserted: boolean): void;
  powerOff(): void;
  /** A sleep type that no `\_Sx` object announces; the guest goes on. */
  ignoredSleep(type: number): void;
}

export const PM_TIMER_HZ = 3_579_545;
const TIMER_TOP = 2 ** 31; // bit 31 toggling is the timer's event

const TMR = 0x0001;
const GBL = 0x0020;
const PWRBTN = 0x0100;
const SLPBTN = 0x0200;
const RTC = 0x0400;
const STATUS_BITS = TMR | 0x0010 | GBL | PWRBTN | SLPBTN | RTC | 0x8000;
const ENABLE_BITS = TMR | GBL | PWRBTN | SLPBTN | RTC;

const SCI_EN = 0x0001;
const SLP_EN = 0x2000;
const SLP_TYP_SHIFT = 10;

export class AcpiPmBlock {
  readonly #host: AcpiPmHost;
  #startMs: number;
  #status = 0;
  #enable = 0;
  #control = SCI_EN;
  #gpeStatus = 0;
  #gpeEnable = 0;
  #timerHalf = 0; // how often bit 31 had toggled when it was last looked at
  #cancelTimer: (() => void) | null = null;

  constructor(host: AcpiPmHost) {
    this.#host = host;
    this.#startMs = host.monotonicMs();
  }

  /** A short press of the power button: a guest that listens shuts down. */
  pressPowerButton(): void {
    this.#raise(PWRBTN);
  }

  pressSleepButton(): void {
    this.#raise(SLPBTN);
  }

  /** Set a general-purpose event, 0..15. */
  raiseGpe(number: number): void {
    this.#gpeStatus |= 1 << number;
    this.#driveSci();
  }

  reset(): void {
    this.#status = 0;
    this.#enable = 0;
    this.#control = SCI_EN;
    this.#gpeStatus = 0;
    this.#gpeEnable = 0;
    this.#timerHalf = this.#half();
    this.#driveSci();
  }

  /** The timer is saved as ticks, and goes on from there. */
  save() {
    return {
      status: this.readStatus(),
      enable: this.#enable,
      control: this.#control,
      gpeStatus: this.#gpeStatus,
      gpeEnable: this.#gpeEnable,
      ticks: this.#ticks(),
    };
  }

  restore(state: ReturnType<AcpiPmBlock["save"]>): void {
    this.#startMs = this.#host.monotonicMs() - (state.ticks * 1000) / PM_TIMER_HZ;
    this.#timerHalf = this.#half();
    this.#status = state.status;
    this.#enable = state.enable;
    this.#control = state.control;
    this.#gpeStatus = state.gpeStatus;
    this.#gpeEnable = state.gpeEnable;
    this.#driveSci();
  }

  /** Arm no timer until `resume`, or the next access. */
  dispose(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  resume(): void {
    this.#lookAtTimer();
    this.#driveSci();
  }

  /** The PM timer: 32 bits at 3.579545 MHz. */
  readTimer(): number {
    return this.#ticks() % 2 ** 32;
  }

  readStatus(): number {
    this.#lookAtTimer();
    return this.#status;
  }

  /** Ones clear. */
  writeStatus(value: number): void {
    this.#lookAtTimer();
    this.#status &= ~(value & STATUS_BITS);
    this.#driveSci();
  }

  readEnable(): number {
    return this.#enable;
  }

  writeEnable(value: number): void {
    this.#lookAtTimer();
    this.#enable = value & ENABLE_BITS;
    this.#driveSci();
  }

  /** SLP_EN reads 0. */
  readControl(): number {
    return this.#control;
  }

  writeControl(value: number): void {
    this.#control = (value & 0x1c02) | SCI_EN;
    if ((value & SLP_EN) === 0) return;
    const type = (value >> SLP_TYP_SHIFT) & 7;
    if (type === ACPI_SLEEP_TYPE_S5) this.#host.powerOff();
    else this.#host.ignoredSleep(type);
  }

  readGpeStatus(): number {
    return this.#gpeStatus;
  }

  writeGpeStatus(value: number): void {
    this.#gpeStatus &= ~value;
    this.#driveSci();
  }

  readGpeEnable(): number {
    return this.#gpeEnable;
  }

  writeGpeEnable(value: number): void {
    this.#gpeEnable = value & 0xffff;
    this.#driveSci();
  }

  #ticks(): number {
    return Math.floor(((this.#host.monotonicMs() - this.#startMs) * PM_TIMER_HZ) / 1000);
  }

  #half(): number {
    return Math.floor(this.#ticks() / TIMER_TOP);
  }

  #lookAtTimer(): void {
    const half = this.#half();
    if (half !== this.#timerHalf) this.#status |= TMR;
    this.#timerHalf = half;
  }

  #raise(bit: number): void {
    this.#status |= bit;
    this.#driveSci();
  }

  #driveSci(): void {
    this.#host.setSci((this.#status & this.#enable) !== 0 || (this.#gpeStatus & this.#gpeEnable) !== 0);
    this.#armTimer();
  }

  /** Only a guest that enables the timer event needs a timer of the host; it comes every ten minutes. */
  #armTimer(): void {
    this.dispose();
    if ((this.#enable & TMR) === 0 || (this.#status & TMR) !== 0) return;
    const delayMs = (((this.#half() + 1) * TIMER_TOP - this.#ticks()) * 1000) / PM_TIMER_HZ;
    this.#cancelTimer = this.#host.schedule(Math.ceil(delayMs), () => {
      this.#cancelTimer = null;
      this.#lookAtTimer();
      this.#driveSci();
    });
  }
}

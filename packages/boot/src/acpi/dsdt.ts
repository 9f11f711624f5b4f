// The body of the DSDT of PC platform v1: the devices that a guest cannot find by probing, and how to power off.
// What must stay true: it names exactly the ports and interrupts of PC_PORTS and PC_IRQS.

import { ACPI_SLEEP_TYPE_S5, PC_IRQS, PC_PORTS } from "@ringzero/api";
import {
  type Aml,
  concat,
  currentResources,
  device,
  eisaId,
  integer,
  ioPorts,
  irq,
  name,
  packageOf,
  scope,
  string,
} from "./aml.js";

/** A 16550 UART that the guest is told about. */
export interface AcpiUart {
  readonly port: number;
  readonly irq: number;
}

function legacyDevice(path: string, id: string, uid: number | null, ...resources: readonly Aml[]): Aml {
  return device(
    path,
    name("_HID", eisaId(id)),
    ...(uid === null ? [] : [name("_UID", integer(uid))]),
    currentResources(...resources),
  );
}

/** @param cpus  1..254; their `_UID` is the processor UID of the MADT */
export function dsdtBody(cpus: number, uarts: readonly AcpiUart[]): Aml {
  const processors = Array.from({ length: cpus }, (_, i) =>
    device(`C${i.toString(16).toUpperCase().padStart(3, "0")}`, name("_HID", string("ACPI0007")), name("_UID", integer(i))),
  );
  return concat(
    name("\\_S5", packageOf(integer(ACPI_SLEEP_TYPE_S5), integer(ACPI_SLEEP_TYPE_S5), integer(0), integer(0))),
    scope(
      "\\_SB",
      legacyDevice("PIC", "PNP0000", null, ioPorts(PC_PORTS.pic0, 2), ioPorts(PC_PORTS.pic1, 2), irq(2)),
      legacyDevice("TMR", "PNP0100", null, ioPorts(PC_PORTS.pit, 4), irq(PC_IRQS.pit)),
      legacyDevice("RTC", "PNP0B00", null, ioPorts(PC_PORTS.rtcIndex, 2), irq(PC_IRQS.rtc)),
      legacyDevice(
        "KBD",
        "PNP0303",
        null,
        ioPorts(PC_PORTS.i8042Data, 1),
        ioPorts(PC_PORTS.i8042Command, 1),
        irq(PC_IRQS.keyboard),
      ),
      legacyDevice("MOU", "PNP0F13", null, irq(PC_IRQS.mouse)),
      ...uarts.map((uart, i) => legacyDevice(`COM${i + 1}`, "PNP0501", i + 1, ioPorts(uart.port, 8), irq(uart.irq))),
      ...processors,
    ),
  );
}

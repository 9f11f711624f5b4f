// The ACPI tables: their sums, their links, and what Intel's own tool makes of them.

import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PC_PORTS } from "@ringzero/api";
import { buildAcpiTables } from "@ringzero/boot";
import { needs, pipeThrough } from "./archives.js";
import { Folder } from "./synthetic.js";

const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

describe("ACPI tables", () => {
  for (const cpus of [1, 2, 8, 254]) {
    it(`add up and find each other with ${cpus} processors`, () => {
      const acpi = buildAcpiTables({ cpus });
      assert.ok(acpi.at + acpi.bytes.length <= 0x100000);
      const at = (address: number, sizeBytes?: number) =>
        acpi.bytes.subarray(address - acpi.at, sizeBytes === undefined ? undefined : address - acpi.at + sizeBytes);
      const tableAt = (address: number) => at(address, view(at(address)).getUint32(4, true));
      const signature = (table: Uint8Array) => Buffer.from(table.subarray(0, 4)).toString();

      const rsdp = at(acpi.rsdpAt, 36);
      assert.equal(acpi.rsdpAt % 16, 0);
      assert.equal(sum(rsdp.subarray(0, 20)), 0);
      assert.equal(sum(rsdp), 0);
      const rsdt = tableAt(view(rsdp).getUint32(16, true));
      const xsdt = tableAt(Number(view(rsdp).getBigUint64(24, true)));
      assert.deepEqual([signature(rsdt), signature(xsdt)], ["RSDT", "XSDT"]);
      const listed: number[] = [];
      for (let i = 36; i < xsdt.length; i += 8) listed.push(Number(view(xsdt).getBigUint64(i, true)));
      assert.deepEqual(
        listed,
        Array.from({ length: (rsdt.length - 36) / 4 }, (_, i) => view(rsdt).getUint32(36 + i * 4, true)),
      );
      const tables = new Map(listed.map((address) => [signature(tableAt(address)), tableAt(address)] as const));
      assert.deepEqual([...tables.keys()], ["FACP", "APIC"]);
      const fadt = view(tables.get("FACP")!);
      const dsdt = tableAt(fadt.getUint32(40, true));
      assert.equal(Number(fadt.getBigUint64(140, true)), fadt.getUint32(40, true));
      assert.equal(signature(tableAt(fadt.getUint32(36, true))), "FACS");
      assert.equal(fadt.getUint32(36, true) % 64, 0);
      for (const table of [rsdt, xsdt, dsdt, ...tables.values()]) assert.equal(sum(table), 0, signature(table));
    });
  }

  it("list every processor, the IOAPIC and both overrides in the MADT", () => {
    const madt = view(buildAcpiTables({ cpus: 3 }).tables.get("APIC")!);
    const entries: number[][] = [];
    for (let at = 44; at < madt.byteLength; at += madt.getUint8(at + 1)) {
      entries.push(Array.from({ length: madt.getUint8(at + 1) }, (_, i) => madt.getUint8(at + i)));
    }
    assert.deepEqual(
      entries.filter(([type]) => type === 0).map(([, , uid, id, enabled]) => [uid, id, enabled]),
      [
        [0, 0, 1],
        [1, 1, 1],
        [2, 2, 1],
      ],
    );
    assert.deepEqual(
      entries.filter(([type]) => type === 1).map((entry) => entry.slice(4, 8)),
      [[0x00, 0x00, 0xc0, 0xfe]],
    );
    assert.deepEqual(
      entries.filter(([type]) => type === 2).map((entry) => [entry[3], entry[4], entry[8]]),
      [
        [0, 2, 0],
        [9, 9, 0xd],
      ],
    );
  });

  it("announce the registers of the device acpi-pm, and a reset register", () => {
    const fadt = view(buildAcpiTables({ cpus: 1 }).tables.get("FACP")!);
    assert.equal(fadt.getUint16(46, true), 9);
    assert.equal(fadt.getUint32(56, true), PC_PORTS.acpiPm1Event);
    assert.equal(fadt.getUint32(64, true), PC_PORTS.acpiPm1Control);
    assert.equal(fadt.getUint32(76, true), PC_PORTS.acpiPmTimer);
    assert.deepEqual([fadt.getUint8(116), fadt.getUint32(120, true), fadt.getUint8(128)], [1, 0xcf9, 6]);
    assert.equal(fadt.getUint32(112, true) & (1 << 20), 0); // not hardware-reduced
  });

  it("are what Intel's disassembler takes without complaint, and its compiler takes again", async function () {
    needs(this, "iasl");
    const folder = new Folder();
    await folder.make();
    try {
      const uarts = [0x3f8, 0x2f8, 0x3e8, 0x2e8].map((port, i) => ({ port, irq: i % 2 === 0 ? 4 : 3 }));
      const { tables } = buildAcpiTables({ cpus: 20, uarts });
      for (const [signature, bytes] of tables) {
        if (signature === "RSDP") continue; // no table, and no input of iasl's
        await folder.write(`${signature}.aml`, bytes);
        pipeThrough("iasl", ["-d", `${signature}.aml`], new Uint8Array(0), folder.path);
        const text = await readFile(join(folder.path, `${signature}.dsl`), "utf8");
        assert.doesNotMatch(text, /invalid|incorrect|error|unknown/i, signature);
      }
      const dsdt = await readFile(join(folder.path, "DSDT.dsl"), "utf8");
      for (const id of ["PNP0000", "PNP0100", "PNP0B00", "PNP0303", "PNP0F13", "PNP0501"])
        assert.ok(dsdt.includes(`EisaId ("${id}")`), id);
      assert.match(dsdt, /Name \(\\_S5, Package \(0x04\)[^}]*0x05,\s*0x05/);
      assert.equal(dsdt.match(/"ACPI0007"/g)?.length, 20);
      assert.equal(dsdt.match(/PNP0501/g)?.length, 4);
      const compiled = pipeThrough("iasl", ["-oa", "DSDT.dsl"], new Uint8Array(0), folder.path).toString();
      assert.match(compiled, /0 Errors, 0 Warnings/);
    } finally {
      await folder.remove();
    }
  });

  it("cannot be made for no processor, or too many, or a crooked address", () => {
    for (const cpus of [0, 255, 1.5, Number.NaN]) assert.throws(() => buildAcpiTables({ cpus }), RangeError);
    assert.throws(() => buildAcpiTables({ cpus: 1, at: 0xe0010 }), RangeError);
  });
});

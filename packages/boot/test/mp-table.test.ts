// The MultiProcessor table, read back as a kernel without ACPI would.

import { strict as assert } from "node:assert";
import { buildAcpiTables, buildMpTable, MP_TABLE_AT } from "@ringzero/boot";

const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);

/** Entries by type, each as its bytes. */
function entriesOf(table: Uint8Array): Map<number, Uint8Array[]> {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const found = new Map<number, Uint8Array[]>();
  let at = 44;
  for (let i = 0; i < view.getUint16(34, true); i++) {
    const type = table[at]!;
    const bytes = type === 0 ? 20 : 8;
    found.set(type, [...(found.get(type) ?? []), table.subarray(at, at + bytes)]);
    at += bytes;
  }
  assert.equal(at, view.getUint16(4, true), "the entries end where the table does");
  return found;
}

function configuration(cpus: number): Uint8Array {
  const bytes = buildMpTable(cpus);
  const view = new DataView(bytes.buffer);
  assert.equal(Buffer.from(bytes.subarray(0, 4)).toString(), "_MP_");
  assert.equal(sum(bytes.subarray(0, 16)), 0);
  const at = view.getUint32(4, true) - MP_TABLE_AT;
  const table = bytes.subarray(at, at + view.getUint16(at + 4, true));
  assert.equal(at + table.length, bytes.length);
  assert.equal(Buffer.from(table.subarray(0, 4)).toString(), "PCMP");
  assert.equal(sum(table), 0);
  return table;
}

describe("MP table", () => {
  it("lies where kernels look for it", () => {
    assert.equal(MP_TABLE_AT % 16, 0);
    assert.ok(MP_TABLE_AT >= 0xf0000 && MP_TABLE_AT < 0x100000);
  });

  for (const cpus of [1, 2, 8]) {
    it(`lists ${cpus} processor(s), the first of which boots, and an I/O APIC with an id of its own`, () => {
      const entries = entriesOf(configuration(cpus));
      const processors = entries.get(0)!;
      assert.deepEqual(
        processors.map((entry) => entry[1]),
        [...new Array(cpus).keys()],
      );
      assert.deepEqual(
        processors.map((entry) => entry[3]),
        processors.map((_, id) => (id === 0 ? 3 : 1)),
      );
      const [ioApic, ...more] = entries.get(2)!;
      assert.deepEqual(more, []);
      assert.ok(!processors.some((entry) => entry[1] === ioApic![1]));
    });
  }

  it("says of the interrupt lines what the MADT says", () => {
    const lines = entriesOf(configuration(1)).get(3)!;
    // From the MADT's interrupt source overrides: bus, source, global interrupt, flags.
    const madt = buildAcpiTables({ cpus: 1 }).tables.get("APIC")!;
    const overrides = new Map<number, { pin: number; flags: number }>();
    for (let at = 44; at < madt.length; at += madt[at + 1]!) {
      if (madt[at] === 2) overrides.set(madt[at + 3]!, { pin: madt[at + 4]!, flags: madt[at + 8]! });
    }
    assert.ok(overrides.size > 0);
    assert.equal(lines.length, 15); // all but the cascade
    for (const entry of lines) {
      const { pin, flags } = overrides.get(entry[5]!) ?? { pin: entry[5]!, flags: 0 };
      assert.equal(entry[7], pin, `line ${entry[5]}`);
      assert.equal(entry[2], flags, `line ${entry[5]}`);
    }
  });
});

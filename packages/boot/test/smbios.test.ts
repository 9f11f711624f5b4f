// The SMBIOS tables, read back as a guest's dmidecode would.

import { strict as assert } from "node:assert";
import { buildSmbios, SMBIOS_AT } from "@ringzero/boot";
import { needs, pipeThrough } from "./archives.js";
import { Folder, MIB } from "./synthetic.js";

interface Structure {
  readonly type: number;
  readonly formatted: DataView;
  readonly strings: readonly string[];
}

function structures(table: Uint8Array): Structure[] {
  const found: Structure[] = [];
  for (let at = 0; at < table.length; ) {
    const length = table[at + 1]!;
    let end = at + length;
    while (table[end] !== 0 || table[end + 1] !== 0) end++;
    const text = Buffer.from(table.subarray(at + length, end)).toString("latin1");
    found.push({
      type: table[at]!,
      formatted: new DataView(table.buffer, table.byteOffset + at, length),
      strings: text === "" ? [] : text.split("\0"),
    });
    at = end + 2;
  }
  return found;
}

describe("SMBIOS tables", () => {
  it("have an entry point that adds up and points behind itself", () => {
    const bytes = buildSmbios(512 * MIB);
    assert.equal(SMBIOS_AT % 16, 0);
    assert.equal(Buffer.from(bytes.subarray(0, 5)).toString(), "_SM3_");
    assert.equal(
      bytes.subarray(0, bytes[6]).reduce((sum, byte) => (sum + byte) & 0xff, 0),
      0,
    );
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const at = Number(view.getBigUint64(16, true)) - SMBIOS_AT;
    assert.equal(at + view.getUint32(12, true), bytes.length);
    assert.deepEqual(
      structures(bytes.subarray(at)).map(({ type }) => type),
      [0, 1, 3, 16, 17, 32, 127],
    );
  });

  for (const [mib, word, extended] of [
    [512, 512, 0],
    [65536, 0x7fff, 65536],
  ] as const) {
    it(`tell ${mib} MiB of memory`, () => {
      const module = structures(buildSmbios(mib * MIB).subarray(32)).find(({ type }) => type === 17)!;
      assert.equal(module.formatted.getUint16(12, true), word);
      assert.equal(module.formatted.getUint32(28, true), extended);
      assert.equal(module.formatted.byteLength, 0x28);
    });
  }

  it("read well in dmidecode", async function () {
    needs(this, "dmidecode");
    const folder = new Folder();
    await folder.make();
    try {
      // dmidecode's dump format: the entry point, with the table at offset 32.
      const dump = buildSmbios(2048 * MIB);
      new DataView(dump.buffer).setBigUint64(16, 32n, true);
      dump[5] = 0;
      dump[5] = -dump.subarray(0, 24).reduce((sum, byte) => sum + byte, 0) & 0xff;
      const path = await folder.write("dump", dump);
      const text = pipeThrough("dmidecode", ["--from-dump", path], new Uint8Array(0)).toString();
      for (const line of ["Product Name: PC v1", "Size: 2 GB", "System is a virtual machine", "End Of Table"])
        assert.ok(text.includes(line), text);
      assert.doesNotMatch(text, /broken|truncated|invalid|out of spec/i);
    } finally {
      await folder.remove();
    }
  });
});

// Sizes as people write them.

import assert from "node:assert/strict";
import { formatSize, parseSize } from "@ringzero/api";

describe("parseSize", () => {
  it("reads binary units in any case, with and without iB", () => {
    assert.equal(parseSize("1GiB"), 2 ** 30);
    assert.equal(parseSize("512M"), 512 * 2 ** 20);
    assert.equal(parseSize("64 kib"), 65536);
    assert.equal(parseSize("1.5G"), 1.5 * 2 ** 30);
    assert.equal(parseSize("4096"), 4096);
    assert.equal(parseSize(4096), 4096);
  });

  it("refuses what is no size, no whole number of bytes, or ambiguous", () => {
    for (const bad of ["3 bytes", "", "GiB", "-1G", "1MB", "0.3", "1e9", "9999999T", Number.NaN, -1, 1.5])
      assert.equal(parseSize(bad), null, String(bad));
  });
});

describe("formatSize", () => {
  it("uses the largest unit that is exact to two decimals", () => {
    assert.equal(formatSize(2 ** 30), "1GiB");
    assert.equal(formatSize(1.5 * 2 ** 30), "1.5GiB");
    assert.equal(formatSize(4097), "4097B");
  });
});

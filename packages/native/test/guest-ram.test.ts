// GuestRam over a stand-in for an addon: windows, bounds, and telling the engine about changes.

import assert from "node:assert/strict";
import { GuestRam, type RamSource } from "@ringzero/native";

const PAGE = 4096;

class FakeSource implements RamSource {
  readonly bytes = new ArrayBuffer(64 * PAGE);
  readonly asked: [number, number][] = [];
  readonly changes: [number, number][] = [];
  ram(offset: number, sizeBytes: number): ArrayBuffer {
    this.asked.push([offset, sizeBytes]);
    return this.bytes;
  }
  touched(at: number, sizeBytes: number): void {
    this.changes.push([at, sizeBytes]);
  }
}

describe("GuestRam", () => {
  it("makes one window for a range and views inside it", () => {
    const source = new FakeSource();
    const ram = new GuestRam(source, [{ at: PAGE, sizeBytes: 4 * PAGE }]);
    const view = ram.view(PAGE + 16, 8);
    ram.view(2 * PAGE, PAGE);
    assert.deepEqual(source.asked, [[PAGE, 4 * PAGE]]);
    assert.equal(view.byteOffset, 16);
    assert.equal(view.length, 8);
    assert.equal(ram.sizeBytes, 4 * PAGE);
  });

  it("places ranges one after the other in the mapping, each as far from a multiple of 2 MiB as in the guest", () => {
    const source = new FakeSource();
    const ram = new GuestRam(source, [
      { at: 0, sizeBytes: 2 * PAGE },
      { at: 2 ** 21 + 3 * PAGE, sizeBytes: PAGE },
      { at: 2 ** 32, sizeBytes: 3 * PAGE, readOnly: true },
    ]);
    ram.view(2 ** 21 + 3 * PAGE, 1);
    ram.view(2 ** 32, 1);
    assert.deepEqual(source.asked, [
      [3 * PAGE, PAGE],
      [2 ** 21, 3 * PAGE],
    ]);
    assert.equal(ram.sizeBytes, 6 * PAGE);
  });

  it("splits windows at 4 GiB and gives a view across them a window of its own", () => {
    const source = new FakeSource();
    const ram = new GuestRam(source, [{ at: 0, sizeBytes: 2 ** 33 }]);
    ram.view(0, 1);
    ram.view(2 ** 32 + 5, 1);
    ram.view(2 ** 32 - 5, 10);
    assert.deepEqual(source.asked, [
      [0, 2 ** 32],
      [2 ** 32, 2 ** 32],
      [2 ** 32 - 5, 10],
    ]);
  });

  it("tells of writes and of changes through views, and of nothing when nothing was written", () => {
    const source = new FakeSource();
    const ram = new GuestRam(source, [{ at: 0, sizeBytes: PAGE }]);
    ram.write(8, Uint8Array.of(1, 2));
    ram.write(8, new Uint8Array(0));
    ram.touched(100, 4);
    ram.touched(100, 0);
    assert.deepEqual(source.changes, [
      [8, 2],
      [100, 4],
    ]);
    assert.deepEqual([...ram.read(8, 2)], [1, 2]);
    assert.equal(ram.read(8, 0).length, 0);
  });

  it("refuses views that are not in one range, and everything after close", () => {
    const ram = new GuestRam(new FakeSource(), [
      { at: 0, sizeBytes: PAGE },
      { at: PAGE, sizeBytes: PAGE },
    ]);
    assert.throws(() => ram.view(PAGE - 1, 2), RangeError);
    assert.throws(() => ram.view(2 * PAGE, 1), RangeError);
    assert.throws(() => ram.view(0, 2 ** 32 + 1), RangeError);
    ram.close();
    assert.throws(() => ram.view(0, 1), { code: "VM_NOT_OPEN" });
  });
});

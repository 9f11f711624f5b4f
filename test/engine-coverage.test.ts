// docs/engine-coverage.md names a test for each thing that the translator has to do: the files exist, the words behind `#` are in them,
// and every guest program stands there.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
const DOCUMENT = "docs/engine-coverage.md";

/** By item: what its row names, as `path` or `path#word`. */
function rows(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of readFileSync(join(ROOT, DOCUMENT), "utf8").split("\n")) {
    const [, item, tests] = /^\| ([^|]+) \| ([^|]+) \|$/.exec(line) ?? [];
    if (item === undefined || item === "item") continue;
    assert.ok(!found.has(item), `${item} stands twice`);
    found.set(
      item,
      [...tests!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!),
    );
  }
  return found;
}

describe("what the translator has to do", () => {
  const all = rows();

  it("is a list with everything in it", () => assert.ok(all.size >= 70, `${all.size} rows`));

  for (const [item, references] of all) {
    it(`has a test for ${item}`, () => {
      assert.ok(references.length > 0, "the row names no file");
      for (const reference of references) {
        const [path, word] = reference.split("#", 2) as [string, string | undefined];
        assert.ok(existsSync(join(ROOT, path)), `${path} does not exist`);
        if (word !== undefined) assert.ok(readFileSync(join(ROOT, path), "utf8").includes(word), `${path} does not say ${word}`);
      }
    });
  }

  it("leaves no guest program out", () => {
    const named = new Set([...all.values()].flat().map((reference) => basename(reference.split("#", 1)[0]!)));
    const programs = readdirSync(join(ROOT, "test/guests")).filter((name) => name.endsWith(".s"));
    assert.deepEqual(
      programs.filter((name) => !named.has(name)),
      [],
      `name them in ${DOCUMENT}, beside what they show`,
    );
  });
});

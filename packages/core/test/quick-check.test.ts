// Options are checked by the SDK as the library for JSON schemas would, and filled with the same defaults: random schemas of the words that the
// schema builder has, some with a word or a rule beyond those, and random data near them. A good machine is checked without the library.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { definePlugin, type TSchema } from "@ringzero/api";
import { Ajv } from "ajv";
import { fakeRingzero, fakeSpec, INLINE, KERNEL } from "./fake-machine.js";

const SCHEMAS = 80;
const DATA_EACH = 10;

/** Mulberry32. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

type Pick = <T>(from: readonly T[]) => T;
type Json = unknown;

class Maker {
  readonly below: (limit: number) => number;
  readonly pick: Pick;
  constructor(seed: number) {
    this.below = random(seed);
    this.pick = (from) => from[this.below(from.length)]!;
  }

  data(depth: number): Json {
    const leaf = [0, 1, -3, 2.5, 7, 300, "", "a", "ab", "card0", "😀😀", true, false, null];
    const kind = depth > 0 ? this.below(4) : 0;
    if (kind === 1) return Array.from({ length: this.below(4) }, () => this.data(depth - 1));
    if (kind >= 2)
      return Object.fromEntries(["a", "b", "c"].filter(() => this.below(2)).map((name) => [name, this.data(depth - 1)]));
    return this.pick(leaf);
  }

  schema(depth: number): Record<string, unknown> {
    const type = this.pick(
      depth > 0
        ? ["object", "object", "array", "anyOf", "string", "integer"]
        : ["string", "integer", "number", "boolean", "const", "enum", "any"],
    );
    const may = (words: Record<string, unknown>) => (this.below(2) ? words : {});
    const beyond =
      this.below(12) === 0
        ? this.pick([{ multipleOf: 2 }, { not: { const: 7 } }, { type: ["string", "null"] }, { maxProperties: 1 }])
        : {};
    const bound = this.pick([{ default: this.data(0) }, { default: this.data(0) }, {}, { title: "t", description: "d" }]);
    const notes = { ...bound, ...beyond };
    switch (type) {
      case "object":
        return {
          ...{
            type,
            properties: Object.fromEntries(
              ["a", "b", "c"].filter(() => this.below(3)).map((name) => [name, this.schema(depth - 1)]),
            ),
          },
          ...may({ required: ["a"] }),
          ...may({ additionalProperties: this.pick<unknown>([false, true, this.schema(depth - 1)]) }),
          ...notes,
        };
      case "array":
        return {
          type,
          items: this.schema(depth - 1),
          ...may({ minItems: this.below(3) }),
          ...may({ maxItems: this.below(4) }),
          ...notes,
        };
      case "anyOf":
        return { anyOf: [this.schema(depth - 1), this.schema(depth - 1)], ...notes };
      case "string":
        return {
          type,
          ...may({ minLength: this.below(3) }),
          ...may({ maxLength: this.below(4) }),
          ...may({ pattern: this.pick(["^[a-z]", "0$", "^.{2}$"]) }),
          ...notes,
        };
      case "const":
        return { const: this.data(0), ...notes };
      case "enum":
        return { enum: [this.data(0), this.data(0)], ...notes };
      case "any":
        return notes;
      default:
        return {
          type,
          ...(type === "boolean" ? {} : { ...may({ minimum: this.below(9) - 4 }), ...may({ maximum: this.below(400) }) }),
          ...notes,
        };
    }
  }
}

describe("options of plugins", () => {
  it("are judged and filled as the library for JSON schemas does", async () => {
    const counts = { good: 0, bad: 0, filled: 0 };
    for (let seed = 1; seed <= SCHEMAS; seed++) {
      const maker = new Maker(seed);
      const schema = { type: "object", properties: { value: maker.schema(2) } };
      const oracle = new Ajv({ strict: false, allErrors: true, useDefaults: true, validateSchema: false });
      const fits = oracle.compile(schema);
      let seen: Json;
      const card = definePlugin({
        name: "card",
        kind: "device",
        api: { min: 1, max: 1 },
        options: schema as unknown as TSchema,
        attach: (_, options) => void (seen = options),
      });
      const { rz } = fakeRingzero(card);
      for (let i = 0; i < DATA_EACH; i++) {
        const options = maker.below(3) === 0 ? {} : { value: maker.data(2) };
        const expected = structuredClone(options);
        const good = fits(expected);
        const spec = fakeSpec([], { devices: [{ plugin: "card", options }] });
        const { problems } = await rz.validate(spec, INLINE);
        const about = () => `seed ${seed}: ${JSON.stringify({ schema, options, problems })}`;
        // Errors inside a branch of anyOf alone are told by the anyOf.
        assert.equal(problems.length === 0, good, about());
        counts[good ? "good" : "bad"] += 1;
        if (!good) continue;
        await using machine = await rz.create(spec, INLINE);
        assert.deepEqual(seen, expected, `${about()} on ${machine.name}`);
        if (JSON.stringify(expected) !== JSON.stringify(options)) counts.filled += 1;
      }
    }
    for (const [what, count] of Object.entries(counts)) assert.ok(count > 20, `only ${count} were ${what}`);
  });

  it("are refused with a schema that is none, however good they are", async () => {
    for (const broken of [{ minimum: "x" }, { type: "integr" }, { pattern: "[" }, { properties: { a: { required: "a" } } }]) {
      const options = { type: "object", properties: { value: broken } } as unknown as TSchema;
      const { rz } = fakeRingzero(definePlugin({ name: "card", kind: "device", api: { min: 1, max: 1 }, options, attach() {} }));
      await assert.rejects(
        rz.validate(fakeSpec([], { devices: [{ plugin: "card", options: {} }] }), INLINE),
        JSON.stringify(broken),
      );
    }
  });
});

describe("a good machine", () => {
  it("is checked without loading the library for JSON schemas, and a bad one with it", () => {
    const answer = (cpus: number) => {
      const program = `
        import { Ringzero } from "@ringzero/core";
        import { createRequire } from "node:module";
        const rz = new Ringzero({ discover: ${JSON.stringify(import.meta.url)}, plugins: ["@ringzero/testing"] });
        const spec = { cpus: ${cpus}, memory: "16MiB", platform: "fake-pc", boot: { kind: "linux", kernel: ${JSON.stringify(KERNEL)} } };
        const { ok } = await rz.validate(spec);
        const files = Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes("/ajv/"));
        console.log(ok, files.length > 0);`;
      return execFileSync(process.execPath, ["--input-type=module", "-e", program], {
        encoding: "utf8",
        cwd: import.meta.dirname,
      }).trim();
    };
    assert.equal(answer(1), "true false");
    assert.equal(answer(0), "false true");
  });
});

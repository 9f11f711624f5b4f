// Schemas and the types that follow from them; the published specification schema.

import assert from "node:assert/strict";
import { defineMachine, ERROR_CODES, MachineSpecSchema, RingzeroError, type Static, Type } from "@ringzero/api";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

describe("Type", () => {
  it("builds plain JSON schema, and the type that it describes", () => {
    const schema = Type.Object(
      {
        name: Type.String({ minLength: 1 }),
        port: Type.Optional(Type.Integer({ minimum: 0, default: 128 })),
        mode: Type.Union([Type.Literal("a"), Type.Literal("b")]),
        tags: Type.Array(Type.Boolean()),
        more: Type.Optional(Type.Record(Type.String(), Type.Number())),
      },
      { additionalProperties: false },
    );
    const good: Static<typeof schema> = { name: "x", mode: "a", tags: [true] };
    // @ts-expect-error a wrong literal is found by the compiler
    const bad: Static<typeof schema> = { name: "x", mode: "c", tags: [] };
    assert.notDeepEqual(good, bad);
    assert.deepEqual(JSON.parse(JSON.stringify(schema)), {
      type: "object",
      required: ["name", "mode", "tags"],
      properties: {
        name: { type: "string", minLength: 1 },
        port: { type: "integer", minimum: 0, default: 128 },
        mode: {
          anyOf: [
            { type: "string", const: "a" },
            { type: "string", const: "b" },
          ],
        },
        tags: { type: "array", items: { type: "boolean" } },
        more: { type: "object", additionalProperties: { type: "number" } },
      },
      additionalProperties: false,
    });
  });
});

describe("the machine specification", () => {
  it("is published as it is in the code", () => {
    const published = createRequire(import.meta.url).resolve("@ringzero/api/machine-spec.schema.json");
    const { $schema, ...schema } = JSON.parse(readFileSync(published, "utf8")) as Record<string, unknown>;
    assert.equal($schema, "http://json-schema.org/draft-07/schema#");
    assert.deepEqual(schema, JSON.parse(JSON.stringify(MachineSpecSchema)));
  });

  it("is typed where it is written", () => {
    const spec = defineMachine({ memory: "1GiB", boot: { kind: "linux", kernel: "vmlinuz", initrd: ["a", "b"] } });
    assert.equal(spec.boot.kind, "linux");
    // @ts-expect-error a machine without memory is found by the compiler
    defineMachine({ boot: { kind: "linux", kernel: "vmlinuz" } });
    // @ts-expect-error and so is a way of booting that does not exist
    defineMachine({ memory: 1, boot: { kind: "tape" } });
  });
});

describe("RingzeroError", () => {
  it("carries a code, problems and a cause", () => {
    const cause = new Error("inner");
    const error = new RingzeroError("SPEC_INVALID", "bad", {
      cause,
      problems: [{ path: "cpus", code: "missing", message: "m" }],
    });
    assert.ok(error instanceof Error);
    assert.equal(error.name, "RingzeroError");
    assert.equal(error.cause, cause);
    assert.equal(error.problems[0]?.path, "cpus");
    assert.deepEqual(new RingzeroError("VM_CRASHED", "x").problems, []);
    assert.ok(error.code in ERROR_CODES);
  });
});

// Checks data against a JSON schema and says what is wrong in the words of the specification: a path, a code, a message.
// Serves the machine specification and the options of plugins alike.

import type { SpecProblem, SpecProblemCode, TSchema } from "@ringzero/api";
import type { Ajv, ErrorObject, ValidateFunction } from "ajv";
import { createRequire } from "node:module";
import { CHECKS, FILLING_CHECKS } from "./compiled-checks.js";
import { CHECK_SETTINGS, schemaText } from "./known-schemas.js";

type Check = Pick<ValidateFunction, "errors"> & ((value: unknown) => boolean);

/** Checks by schema: those compiled beforehand, and those of schemas that nobody knew of, for which the library is loaded. */
class Checks {
  readonly #known = new WeakMap<object, Check>();
  #library: Ajv | undefined;

  constructor(
    readonly compiled: ReadonlyMap<string, Check>,
    readonly useDefaults: boolean,
  ) {}

  of(schema: TSchema): Check {
    let check = this.#known.get(schema);
    if (!check) this.#known.set(schema, (check = this.compiled.get(schemaText(schema)) ?? this.#compile(schema)));
    return check;
  }

  #compile(schema: TSchema): Check {
    this.#library ??= newLibrary(this.useDefaults);
    const { $id: _, ...anonymous } = schema; // two plugins may use the same $id
    return this.#library.compile(anonymous);
  }
}

function newLibrary(useDefaults: boolean): Ajv {
  const { Ajv } = createRequire(import.meta.url)("ajv") as typeof import("ajv");
  return new Ajv({ ...CHECK_SETTINGS, useDefaults, code: { optimize: false } }); // compiled here, it is used once or twice
}

const plain = new Checks(CHECKS, false);
const filling = new Checks(FILLING_CHECKS, true);

/** `disks[0].disk` of "/disks/0/disk". */
function pathOf(pointer: string, base: string): string {
  let path = base;
  for (const part of pointer.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    path = /^\d+$/.test(name) ? `${path}[${name}]` : join(path, name);
  }
  return path;
}

export function join(path: string, field: string): string {
  return path === "" ? field : `${path}.${field}`;
}

/** A value as messages show it, cut to one line. */
export function shown(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    return "an object with a cycle";
  }
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function nearest(name: string, among: readonly string[]): string | null {
  const lower = name.toLowerCase();
  const allowed = name.length < 4 ? 1 : Math.max(2, Math.floor(name.length / 3)); // two letters swapped count as two
  const close = among.filter((one) => distance(lower, one.toLowerCase()) <= allowed);
  return close.sort((a, b) => distance(lower, a.toLowerCase()) - distance(lower, b.toLowerCase()))[0] ?? null;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

/** " Did you mean …?", or nothing. */
export function suggestion(name: string, among: readonly string[]): string {
  const near = nearest(name, among);
  return near ? `; did you mean ${near}?` : among.length > 0 && among.length <= 12 ? `; possible are ${among.join(", ")}` : "";
}

function problemOf(error: ErrorObject, base: string): SpecProblem | null {
  const path = pathOf(error.instancePath, base);
  const params = error.params as Record<string, unknown>;
  const value = shown(error.data);
  const say = (code: SpecProblemCode, message: string, at = path): SpecProblem => ({ path: at, code, message });
  switch (error.keyword) {
    case "required": {
      const field = String(params["missingProperty"]);
      return say("missing", `${field} is required`, join(path, field));
    }
    case "additionalProperties": {
      const field = String(params["additionalProperty"]);
      const known = Object.keys((error.parentSchema as { properties?: object } | undefined)?.properties ?? {});
      return say("unknown-field", `there is no field ${field}${suggestion(field, known)}`, join(path, field));
    }
    case "type":
      return say("wrong-type", `must be of type ${String(params["type"])}, not ${value}`);
    case "minimum":
    case "maximum":
    case "exclusiveMinimum":
    case "exclusiveMaximum":
      return say("out-of-range", `must be ${String(params["comparison"])} ${String(params["limit"])}, not ${value}`);
    case "minItems":
    case "maxItems":
    case "minLength":
    case "maxLength":
      return say(
        error.keyword === "minLength" ? "bad-value" : "out-of-range",
        `${error.message ?? "has a wrong length"}, and is ${value}`,
      );
    case "const":
      return say("bad-value", `must be ${shown(params["allowedValue"])}, not ${value}`);
    case "enum":
      return say("bad-value", `must be one of ${(params["allowedValues"] as unknown[]).map(shown).join(", ")}, not ${value}`);
    case "pattern":
      return say("bad-value", `${value} does not have the right form (${String(params["pattern"])})`);
    case "anyOf":
    case "oneOf":
      return say("bad-value", `${value} is none of the forms possible here`);
    default:
      return say("bad-value", `${error.message ?? "is wrong"}, and is ${value}`);
  }
}

/** Whether an error only explains why one branch of an anyOf did not fit; the anyOf itself is reported. */
function insideAnyOf(error: ErrorObject): boolean {
  return /\/(anyOf|oneOf)\/\d+\//.test(error.schemaPath);
}

/**
 * @param base  path of `value` within the specification
 * @returns every problem; empty when it fits
 */
export function schemaProblems(schema: TSchema, value: unknown, base: string): SpecProblem[] {
  return problemsBy(plain, schema, value, base);
}

/** The same, and fills the schema's defaults into `value`. */
export function fillAndCheck(schema: TSchema, value: unknown, base: string): SpecProblem[] {
  return problemsBy(filling, schema, value, base);
}

function problemsBy(by: Checks, schema: TSchema, value: unknown, base: string): SpecProblem[] {
  const validate = by.of(schema);
  if (validate(value)) return [];
  return (validate.errors ?? []).filter((error) => !insideAnyOf(error)).flatMap((error) => problemOf(error, base) ?? []);
}

/** Everything in `value` that JSON would lose or refuse. */
export function dataProblems(value: unknown, path = "", above: readonly unknown[] = []): SpecProblem[] {
  const no = (what: string): SpecProblem[] => [
    { path, code: "not-serialisable", message: `${what} is no plain data; a specification is JSON` },
  ];
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return [];
    case "number":
      return Number.isFinite(value) ? [] : no(String(value));
    case "object": {
      if (value === null) return [];
      if (above.includes(value)) return no("a cycle");
      if (Array.isArray(value)) return value.flatMap((item, i) => dataProblems(item, `${path}[${i}]`, [...above, value]));
      const prototype = Object.getPrototypeOf(value) as unknown;
      if (prototype !== Object.prototype && prototype !== null) return no("an object of a class");
      return Object.entries(value).flatMap(([name, item]) => dataProblems(item, join(path, name), [...above, value]));
    }
    default:
      return no(`a ${typeof value}`);
  }
}

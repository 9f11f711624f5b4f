// Whether data surely fits a JSON schema, decided without the library that says what is wrong: that one takes longer to load and to compile its
// checks than all else that is done to check a machine. What must stay true: a yes is never wrong, and a schema of which anything is unknown
// here, or not as JSON Schema wants it, never gets one.

type Schema = Readonly<Record<string, unknown>>;

interface Keyword {
  /** Whether a schema may say this. */
  readonly knows: (rule: unknown) => boolean;
  /** Of a rule that is known; as JSON Schema has it, most hold for data of all other types. */
  readonly meets: (rule: never, data: unknown, schema: Schema, fill: boolean) => boolean;
}

const isObject = (data: unknown): data is Record<string, unknown> =>
  typeof data === "object" && data !== null && !Array.isArray(data);
const isPlain = (data: unknown): boolean => data === null || ["string", "number", "boolean"].includes(typeof data);
const isLimit = (rule: unknown): boolean => typeof rule === "number" && Number.isFinite(rule);
const isCount = (rule: unknown): boolean => Number.isInteger(rule) && (rule as number) >= 0;
const isListOf = (rule: unknown, each: (one: unknown) => boolean): boolean => Array.isArray(rule) && rule.every(each);
/** Code points, which is what the lengths of JSON Schema count. */
const characters = (text: string): number => [...text].length;

const TYPES: Readonly<Record<string, (data: unknown) => boolean>> = {
  object: isObject,
  array: Array.isArray,
  integer: Number.isInteger,
  number: Number.isFinite,
  string: (data) => typeof data === "string",
  boolean: (data) => typeof data === "boolean",
  null: (data) => data === null,
};

const number = (meets: (data: number, limit: number) => boolean): Keyword => ({
  knows: isLimit,
  meets: (limit: number, data) => typeof data !== "number" || meets(data, limit),
});
const count = (of: (data: unknown) => number | null, meets: (size: number, limit: number) => boolean): Keyword => ({
  knows: isCount,
  meets: (limit: number, data) => {
    const size = of(data);
    return size === null || meets(size, limit);
  },
});
const length = (data: unknown) => (typeof data === "string" ? characters(data) : null);
const items = (data: unknown) => (Array.isArray(data) ? data.length : null);
const atLeast = (value: number, limit: number): boolean => value >= limit;
const atMost = (value: number, limit: number): boolean => value <= limit;
const note: Keyword = { knows: () => true, meets: () => true };

const KEYWORDS = new Map<string, Keyword>(
  Object.entries({
    ...{ $id: note, title: note, description: note, default: note, examples: note },
    type: {
      knows: (rule) => typeof rule === "string" && Object.hasOwn(TYPES, rule),
      meets: (type: string, data) => TYPES[type]!(data),
    },
    // First of what asks for fields: it brings the defaults.
    properties: {
      knows: (rule) => isObject(rule) && Object.values(rule).every(isKnown),
      meets: (properties: Schema, data, _, fill) => !isObject(data) || fieldsFit(properties, data, fill),
    },
    required: {
      knows: (rule) => isListOf(rule, (name) => typeof name === "string"),
      meets: (names: readonly string[], data) => !isObject(data) || names.every((name) => data[name] !== undefined),
    },
    additionalProperties: {
      knows: isKnown,
      meets: (rule: unknown, data, { properties = {} }, fill) =>
        !isObject(data) ||
        Object.keys(data).every((name) => Object.hasOwn(properties as object, name) || fits(rule, data[name], fill)),
    },
    items: {
      knows: isKnown,
      meets: (rule: unknown, data, _, fill) => !Array.isArray(data) || data.every((item) => fits(rule, item, fill)),
    },
    anyOf: {
      knows: (rule) => isListOf(rule, isKnown),
      meets: (branches: readonly unknown[], data) => branches.some((branch) => fits(branch, data, false)),
    },
    const: { knows: isPlain, meets: (value: unknown, data) => data === value },
    enum: {
      knows: (rule) => isListOf(rule, isPlain),
      meets: (values: readonly unknown[], data) => values.includes(data),
    },
    pattern: {
      knows: (rule) => typeof rule === "string" && isExpression(rule),
      meets: (pattern: string, data) => typeof data !== "string" || new RegExp(pattern, "u").test(data),
    },
    minimum: number(atLeast),
    maximum: number(atMost),
    minLength: count(length, atLeast),
    maxLength: count(length, atMost),
    minItems: count(items, atLeast),
    maxItems: count(items, atMost),
  } satisfies Record<string, Keyword>),
);

const known = new WeakMap<object, boolean>();

/**
 * @param schema  anything; nothing is assumed of it
 * @param fill    put the defaults of absent fields into `data`, which may have some of them also when this returns false
 * @returns true: it fits. False: it does not, or the schema is more than is known here
 */
export function surelyFits(schema: object, data: unknown, fill: boolean): boolean {
  let knows = known.get(schema);
  if (knows === undefined) known.set(schema, (knows = isKnown(schema)));
  return knows && fits(schema, data, fill);
}

function isKnown(schema: unknown): boolean {
  if (!isObject(schema)) return typeof schema === "boolean";
  return Object.entries(schema).every(([keyword, rule]) => KEYWORDS.get(keyword)?.knows(rule) === true);
}

/** @param schema  known as a whole */
function fits(schema: unknown, data: unknown, fill: boolean): boolean {
  if (!isObject(schema)) return schema === true;
  for (const [keyword, { meets }] of KEYWORDS) {
    const rule = schema[keyword];
    if (rule !== undefined && !meets(rule as never, data, schema, fill)) return false;
  }
  return true;
}

function fieldsFit(properties: Schema, data: Record<string, unknown>, fill: boolean): boolean {
  for (const [name, schema] of Object.entries(properties)) {
    if (fill && data[name] === undefined && isObject(schema) && schema["default"] !== undefined)
      data[name] = structuredClone(schema["default"]);
    if (data[name] !== undefined && !fits(schema, data[name], fill)) return false;
  }
  return true;
}

function isExpression(pattern: string): boolean {
  try {
    new RegExp(pattern, "u");
    return true;
  } catch {
    return false;
  }
}

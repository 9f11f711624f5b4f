// Builds JSON schemas whose TypeScript types follow from them: what the specification and plugin options are described with.
// A small part of TypeBox's vocabulary under the same names; TypeBox itself costs every process and worker 160 ms of loading
// (docs/decisions/0002-own-schema-builder.md). What must stay true: results are plain JSON schema, so any other builder's work is as good.

declare const value: unique symbol;
const OPTIONAL = Symbol("optional");

/** A JSON schema; `T` is the type of what it describes, `unknown` for schemas made elsewhere. */
export interface TSchema<T = unknown> {
  readonly [value]?: T;
  readonly $id?: string;
  readonly type?: unknown;
  readonly anyOf?: unknown;
  readonly const?: unknown;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: unknown;
  readonly additionalProperties?: unknown;
}

/** A schema that an object may leave out. */
export interface TOptional<T> extends TSchema<T> {
  readonly [OPTIONAL]: true;
}

/** An object's schema, with those of its fields. */
export interface TObject<T, P> extends TSchema<T> {
  readonly properties: P;
}

/** The type of what a schema describes. */
export type Static<S> = S extends TSchema<infer T> ? T : never;

type Properties = Readonly<Record<string, TSchema>>;
type OptionalKeys<P> = { [K in keyof P]: P[K] extends { readonly [OPTIONAL]: true } ? K : never }[keyof P];
type ObjectOf<P> = { [K in Exclude<keyof P, OptionalKeys<P>>]: Static<P[K]> } & { [K in OptionalKeys<P>]?: Static<P[K]> };
type Flat<T> = { [K in keyof T]: T[K] };

/** Keywords that any schema may have; the rest are those of JSON schema for the type at hand. */
interface Notes {
  readonly $id?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
}
interface StringKeywords extends Notes {
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}
interface NumberKeywords extends Notes {
  readonly minimum?: number;
  readonly maximum?: number;
  readonly multipleOf?: number;
}
interface ArrayKeywords extends Notes {
  readonly minItems?: number;
  readonly maxItems?: number;
}
interface ObjectKeywords extends Notes {
  /** Default of JSON schema: true. Say false, so that a misspelt option is found. */
  readonly additionalProperties?: boolean;
}

export const Type = {
  String: (keywords: StringKeywords = {}): TSchema<string> => ({ type: "string", ...keywords }),
  Integer: (keywords: NumberKeywords = {}): TSchema<number> => ({ type: "integer", ...keywords }),
  Number: (keywords: NumberKeywords = {}): TSchema<number> => ({ type: "number", ...keywords }),
  Boolean: (keywords: Notes = {}): TSchema<boolean> => ({ type: "boolean", ...keywords }),
  /** Anything. */
  Unknown: (keywords: Notes = {}): TSchema<unknown> => ({ ...keywords }),
  /** Exactly this value. */
  Literal: <const V extends string | number | boolean>(literal: V, keywords: Notes = {}): TSchema<V> => ({
    type: typeof literal,
    const: literal,
    ...keywords,
  }),
  /** One of these. */
  Union: <const S extends readonly TSchema[]>(schemas: S, keywords: Notes = {}): TSchema<Static<S[number]>> => ({
    anyOf: schemas,
    ...keywords,
  }),
  Array: <S extends TSchema>(items: S, keywords: ArrayKeywords = {}): TSchema<Static<S>[]> =>
    ({ type: "array", items, ...keywords }) as TSchema<Static<S>[]>,
  /** An object with any field names. */
  Record: <S extends TSchema>(_names: TSchema<string>, values: S, keywords: Notes = {}): TSchema<Record<string, Static<S>>> => ({
    type: "object",
    additionalProperties: values,
    ...keywords,
  }),
  /** An object of these fields, each required unless `Optional`. */
  Object: <const P extends Properties>(properties: P, keywords: ObjectKeywords = {}): TObject<Flat<ObjectOf<P>>, P> => {
    const required = Object.keys(properties).filter((name) => !(OPTIONAL in properties[name]!));
    return { type: "object", ...(required.length > 0 ? { required } : {}), properties, ...keywords } as TObject<
      Flat<ObjectOf<P>>,
      P
    >;
  },
  /** A field that may be absent. */
  Optional: <S extends TSchema>(schema: S): TOptional<Static<S>> =>
    Object.defineProperty({ ...schema }, OPTIONAL, { value: true }) as unknown as TOptional<Static<S>>,
} as const;

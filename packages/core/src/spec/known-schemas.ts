// What checks are compiled with, and the schemas of core that they are compiled from. tools/compile-schemas.mjs reads both, to compile
// beforehand what every machine needs. What must stay true: nothing here loads the library.

import { BootSourceSchema, MachineSpecSchema, Type, type TSchema } from "@ringzero/api";
import type { Options } from "ajv";

/**
 * A machine is started more often than it is wrong, and a schema is compiled once. Checking every schema against the schema of schemas took
 * most of the time in which it is compiled. A schema with a keyword of the wrong type is refused all the same, while it is compiled.
 */
export const CHECK_SETTINGS: Options = { allErrors: true, strict: false, verbose: true, meta: false, validateSchema: false };

// `memory` and `boot` are unions, of which a schema can only say "none fits"; they are checked by hand.
export const MACHINE_FORM = {
  ...MachineSpecSchema,
  properties: { ...MachineSpecSchema.properties, memory: {}, boot: {} },
  required: [],
} as unknown as TSchema;

interface KindSchema {
  readonly properties: { readonly kind: { readonly const: string } };
}

/** The form of each `boot.kind`. */
export const BOOT_FORMS: ReadonlyMap<string, TSchema> = new Map(
  (BootSourceSchema as unknown as { anyOf: (TSchema & KindSchema)[] }).anyOf.map((schema) => [
    schema.properties.kind.const,
    schema,
  ]),
);

/** Of a plugin that says nothing of options. */
export const NO_OPTIONS: TSchema = Type.Object({}, { additionalProperties: false });

/** What a schema's compiled check is found by. Its `$id` names it and changes nothing; two plugins may use the same. */
export function schemaText(schema: TSchema): string {
  const { $id: _, ...anonymous } = schema;
  return JSON.stringify(anonymous);
}

// Writes what is generated from source: docs/errors.md and the published schema. As a module, says which of them are stale.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "./process.mjs";

async function outputs() {
  const api = await import(new URL("../packages/api/dist/index.js", import.meta.url).href);
  const table = (codes) => Object.entries(codes).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
  const errors = [
    "# Errors",
    "",
    "Generated from `packages/api/src/errors.ts` by `pnpm run docs`.",
    "",
    "A caller's mistake is a `TypeError` or `RangeError`. Everything else is a `RingzeroError` with one of these codes. Codes are stable; messages are not.",
    "",
    "| code | meaning |",
    "|---|---|",
    ...table(api.ERROR_CODES),
    "",
    "## Problems of a machine specification",
    "",
    "`validate` and the error `SPEC_INVALID` list problems, each with a path into the specification, a message, and one of these codes.",
    "",
    "| code | meaning |",
    "|---|---|",
    ...table(api.SPEC_PROBLEM_CODES),
    "",
  ].join("\n");
  const schema = { $schema: "http://json-schema.org/draft-07/schema#", ...api.MachineSpecSchema };
  return { "docs/errors.md": errors, "packages/api/schema/machine-spec.json": `${JSON.stringify(schema, null, 2)}\n` };
}

/** @returns {Promise<string[]>} paths whose content differs from what would be written */
export async function staleDocs() {
  return Object.entries(await outputs())
    .filter(([path, text]) => !existsSync(join(ROOT, path)) || readFileSync(join(ROOT, path), "utf8") !== text)
    .map(([path]) => path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, text] of Object.entries(await outputs())) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), text);
  }
}

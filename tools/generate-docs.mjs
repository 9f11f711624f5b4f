// Writes what is generated from source: docs/errors.md, docs/engine-inspection.md, the code in docs/backends.md, the published schema, the
// machine code of the conformance suite, the compiled schemas.
// As a module, says which of them are stale.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ASSEMBLED_PATH, assembledPrograms } from "./assemble-conformance.mjs";
import { COMPILED_PATH, compiledChecks } from "./compile-schemas.mjs";
import { ROOT } from "./process.mjs";

/** Code in a page is that of a compiled file: `<!-- code: FILE#NAME -->`, then what stands between `#region NAME` and the next `#endregion` there. */
function withCode(page) {
  const text = readFileSync(join(ROOT, page), "utf8");
  return text.replace(/(<!-- code: (\S+)#(\S+) -->\n)(?:```ts\n[\s\S]*?\n```\n)?/g, (_, mark, file, name) => {
    const lines = readFileSync(join(ROOT, file), "utf8").split("\n");
    const begin = lines.findIndex((line) => line.trim() === `// #region ${name}`);
    const end = lines.findIndex((line, i) => i > begin && /^\/\/ #endregion\b/.test(line.trim()));
    if (begin < 0 || end < 0) throw new Error(`${page} shows ${file}#${name}, and there is no such region`);
    const shown = lines.slice(begin + 1, end);
    const indent = Math.min(...shown.filter((line) => line !== "").map((line) => /^ */.exec(line)[0].length));
    return `${mark}\`\`\`ts\n${shown.map((line) => line.slice(indent)).join("\n")}\n\`\`\`\n`;
  });
}

async function outputs() {
  const api = await import(new URL("../packages/api/bundle/index.js", import.meta.url).href);
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
  const engine = "backends/bt/native/engine/debug";
  const listed = (file) =>
    [...readFileSync(join(ROOT, engine, file), "utf8").matchAll(/X\(\w+,\s*"([^"]+)",\s*"([^"]+)"\)/g)].map(
      ([, name, meaning]) => `| \`${name}\` | ${meaning} |`,
    );
  const inspection = [
    "# Looking into the translator",
    "",
    `Generated from \`${engine}/counters.inc\` and \`${engine}/trace_flags.inc\` by \`pnpm run docs\`. Names may change with any version.`,
    "",
    "## Counters",
    "",
    "`ringzero run --stats` prints them when the machine ends, as `stats: engine.NAME N`; in a program, `await machine.counters()`. They count since the machine was made, all processors together. What happens inside translated",
    "code, links from block to block included, is not counted: it costs nothing.",
    "",
    "| counter | how often |",
    "|---|---|",
    ...listed("counters.inc"),
    "",
    "## Trace",
    "",
    "`ringzero run --trace exit,mmio`, the engine options `trace` and `traceFile` of a specification, or `RINGZERO_TRACE=exit,mmio` and `RINGZERO_TRACE_FILE=PATH` in the environment. One event a line, the flag first, to standard error or",
    "to the file, which is appended to.",
    "",
    "| flag | lines |",
    "|---|---|",
    ...listed("trace_flags.inc"),
    "",
    "```",
    "exit   vcpu0 +1.204ms port-out port=0x3f8 size=1 value=0x48",
    "```",
    "",
    "## Translated code of an address",
    "",
    "`ringzero run … --list-code ADDRESS` prints, when the machine ends, what was made of the instruction at that RIP: each guest instruction, and below it its host code, with names for thunks and fields of the vCPU. In a program,",
    "`await machine.listing(rip)`, which pauses a machine that runs.",
    "",
  ].join("\n");
  const schema = { $schema: "http://json-schema.org/draft-07/schema#", ...api.MachineSpecSchema };
  return {
    "docs/errors.md": errors,
    "docs/engine-inspection.md": inspection,
    "docs/backends.md": withCode("docs/backends.md"),
    "packages/api/schema/machine-spec.json": `${JSON.stringify(schema, null, 2)}\n`,
    [ASSEMBLED_PATH]: await assembledPrograms(),
    [COMPILED_PATH]: await compiledChecks(),
  };
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

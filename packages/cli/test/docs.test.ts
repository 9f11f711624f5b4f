// docs/cli.md and --help say what the code does.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { EXIT_CODE_TEXT, EXIT_CODES, RUN_EXAMPLES, RUN_OPTIONS } from "@ringzero/cli";

const docs = readFileSync(new URL("../../../../docs/cli.md", import.meta.url), "utf8");

describe("docs/cli.md", () => {
  it("It has every option of run, and no other", () => {
    const documented = [...docs.matchAll(/^\| `--([a-z-]+)/gm)].map((match) => match[1]!);
    assert.deepEqual(documented.sort(), Object.keys(RUN_OPTIONS).sort());
  });
  it("It has every exit status in the words of --help", () => {
    for (const [code, meaning] of EXIT_CODE_TEXT) assert.ok(docs.includes(`| ${code} | ${meaning} |`), code);
  });
  it("It has every example of --help", () => {
    for (const [command] of RUN_EXAMPLES) assert.ok(docs.includes(command), command);
  });
  it("Every exit status of the code is documented", () => {
    const documented = new Set(EXIT_CODE_TEXT.map(([code]) => code));
    for (const code of Object.values(EXIT_CODES)) assert.ok(documented.has(String(code)), String(code));
  });
});

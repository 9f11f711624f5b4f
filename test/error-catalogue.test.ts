// Every code of the error catalogue is used somewhere, and every code used is in it (the compiler sees to the second).

import assert from "node:assert/strict";
import { ERROR_CODES, SPEC_PROBLEM_CODES } from "@ringzero/api";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");

function sources(): string {
  const texts: string[] = [];
  for (const group of ["packages", "backends", "plugins"]) {
    if (!existsSync(join(ROOT, group))) continue;
    for (const name of readdirSync(join(ROOT, group))) {
      const at = join(ROOT, group, name, "src");
      if (!existsSync(at)) continue;
      for (const file of readdirSync(at, { recursive: true, encoding: "utf8" })) {
        if (file.endsWith(".ts") && !(name === "api" && file === "errors.ts")) texts.push(readFileSync(join(at, file), "utf8"));
      }
    }
  }
  return texts.join("\n");
}

describe("the error catalogue", () => {
  const text = sources();
  for (const code of [...Object.keys(ERROR_CODES), ...Object.keys(SPEC_PROBLEM_CODES)]) {
    it(`has a use for ${code}`, () =>
      assert.ok(text.includes(`"${code}"`), `no source outside the catalogue says "${code}"; remove it or use it`));
  }
});

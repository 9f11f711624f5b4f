// docs/cli.md and --help say what the code does.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { EXIT_CODE_TEXT, EXIT_CODES, RUN_EXAMPLES, RUN_OPTIONS, STEP_EXAMPLES, STEP_OPTIONS } from "@ringzero/cli";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const docs = read("docs/cli.md");

describe("docs/cli.md", () => {
  const sections = docs.split(/^## /m);
  const optionsOf = (heading: string): string[] => {
    const section = sections.find((one) => one.startsWith(heading)) ?? "";
    return [...section.matchAll(/^\| `--([a-z-]+)/gm)].map((match) => match[1]!).sort();
  };
  it("It has every option of run, and no other", () => {
    assert.deepEqual(optionsOf("`ringzero run"), Object.keys(RUN_OPTIONS).sort());
  });
  it("It has every option of step, and no other", () => {
    assert.deepEqual(optionsOf("`ringzero step"), Object.keys(STEP_OPTIONS).sort());
  });
  it("It has every exit status in the words of --help", () => {
    for (const [code, meaning] of EXIT_CODE_TEXT) assert.ok(docs.includes(`| ${code} | ${meaning} |`), code);
  });
  it("It has every example of --help", () => {
    for (const [command] of [...RUN_EXAMPLES, ...STEP_EXAMPLES]) assert.ok(docs.includes(command), command);
  });
  it("Every exit status of the code is documented", () => {
    const documented = new Set(EXIT_CODE_TEXT.map(([code]) => code));
    for (const code of Object.values(EXIT_CODES)) assert.ok(documented.has(String(code)), String(code));
  });
});

/** Source files of the workspace, with a leading slash. */
function sources(folder = ""): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (!entry.isDirectory()) return [path];
    return ["node_modules", "dist", "build", ".git", ".cache"].includes(entry.name) ? [] : sources(path);
  });
}

describe("the guides", () => {
  const files = sources();
  const guides = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "docs/security.md",
    "docs/glossary.md",
    "docs/cli.md",
    "docs/decisions/README.md",
    "examples/README.md",
  ];
  for (const guide of guides) {
    it(`${guide} links to files that exist`, () => {
      const links = [...read(guide).matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1]!);
      const broken = links.filter((link) => !existsSync(join(ROOT, dirname(guide), link)));
      assert.deepEqual(broken, []);
    });
    it(`${guide} names files and folders that exist`, () => {
      const inFolder = /`((?:packages|backends|tools|test|docs|examples|bench)\/[A-Za-z0-9_./-]+)`/g;
      const asFile = /`([A-Za-z0-9_./-]+\.(?:cpp|h|ts|inc|mjs))`/g;
      const text = read(guide);
      const named = [...text.matchAll(inFolder), ...text.matchAll(asFile)].map((match) => match[1]!);
      const absent = named.filter(
        (name) =>
          !existsSync(join(ROOT, name)) &&
          !existsSync(join(ROOT, dirname(guide), name)) &&
          !files.some((file) => file.endsWith(`/${name}`)),
      );
      assert.deepEqual(absent, []);
    });
  }
});

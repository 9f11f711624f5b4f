#!/usr/bin/env node
// The `ringzero` command. Everything is in bundle/; this file exists before the build, so that package managers can link it.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const entry = new URL("../bundle/index.js", import.meta.url);
if (existsSync(fileURLToPath(entry))) {
  const { program } = await import(entry.href);
  await program(process.argv.slice(2));
} else {
  process.stderr.write("ringzero: it is not built yet; run `npm run setup` in the workspace first\n");
  process.exitCode = 1;
}

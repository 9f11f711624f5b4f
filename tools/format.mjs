// pnpm format: biome over TypeScript and JSON, clang-format over C++ where it is installed.

import { bin, run } from "./process.mjs";
import { cppFiles } from "./sources.mjs";

const biome = await run([bin("biome"), "check", "--write", "."]);
const clang = await run(["clang-format", "-i", ...cppFiles()], { collect: true });
if (clang.code === 127) console.log("skipped: clang-format");
process.exitCode = biome.code || (clang.code === 127 ? 0 : clang.code);

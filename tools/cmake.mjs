// Configures and builds one CMake tree: node cmake.mjs SOURCE BUILD [option…]; a plain library or program, no addon.

import { availableParallelism } from "node:os";
import { run } from "./process.mjs";

const [source, build, ...options] = process.argv.slice(2);
const cwd = process.cwd();
for (const command of [
  ["cmake", "-S", source, "-B", build, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", ...options],
  ["cmake", "--build", build, `-j${availableParallelism()}`],
]) {
  const { code } = await run(command, { cwd });
  if (code !== 0) process.exit(code);
}

// pnpm fuzz: random user-mode programs through the binary translator and on this machine's own processor, until something differs
// or the time is up. `--sanitize` builds and uses a sanitizer build of its own. Everything else goes to engine_fuzz.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT, run } from "./process.mjs";

const args = process.argv.slice(2).filter((argument) => argument !== "--");
const sanitize = args.includes("--sanitize");
const rest = args.filter((argument) => argument !== "--sanitize");
const build = sanitize ? join(ROOT, "build/fuzz-sanitize") : join(ROOT, "backends/bt/build/native");

if (sanitize && !existsSync(join(build, "CMakeCache.txt"))) {
  const { code } = await run(["cmake", "-S", "backends/bt/native", "-B", build, "-DRINGZERO_SANITIZE=ON"]);
  if (code !== 0) process.exit(code);
}
const { code: built } = await run(["cmake", "--build", build, "-j2", "--target", "engine_fuzz"], { collect: true, quiet: true });
if (built !== 0) {
  console.error("engine_fuzz was not built: `npm run setup` first, and see `cmake --build` for why");
  process.exit(1);
}
const out = join(ROOT, "build/fuzz");
mkdirSync(out, { recursive: true });
const { code } = await run([join(build, "engine_fuzz"), ...(rest.includes("--out") ? [] : ["--out", out]), ...rest]);
process.exit(code);

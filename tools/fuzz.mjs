// pnpm fuzz: random user-mode programs through the binary translator and on this machine's own processor, until something differs
// or the time is up. `--sanitize` uses the build with sanitizers (tools/sanitized.mjs). Everything else goes to engine_fuzz.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT, run } from "./process.mjs";
import { buildSanitized, SANITIZED } from "./sanitized.mjs";

const args = process.argv.slice(2).filter((argument) => argument !== "--");
const sanitize = args.includes("--sanitize");
const rest = args.filter((argument) => argument !== "--sanitize");
const build = sanitize ? SANITIZED : join(ROOT, "backends/bt/build/native");

async function buildAsItIs() {
  const command = ["cmake", "--build", build, "-j2", "--target", "engine_fuzz"];
  const { code, output } = await run(command, { collect: true, quiet: true });
  return code === 0 ? null : output;
}
const failure = await (sanitize ? buildSanitized(["engine_fuzz"]) : buildAsItIs());
if (failure !== null) {
  console.error(`${failure}\nengine_fuzz was not built: \`npm run setup\` first`);
  process.exit(1);
}
const out = join(ROOT, "build/fuzz");
mkdirSync(out, { recursive: true });
const { code } = await run([join(build, "engine_fuzz"), ...(rest.includes("--out") ? [] : ["--out", out]), ...rest]);
process.exit(code);

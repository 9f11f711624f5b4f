// `pnpm soak`: real guests, round after round, under the plain engine and under its stress modes, until the time is up or one of them
// goes wrong. Prints a line a round, and on the first failure what is needed to run that round again. Exit code 1 says that something is
// wrong, 2 that nothing could be run.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fetchDebianImages } from "@ringzero/boot";
import { MODES, modeNamed } from "./modes.js";
import { Random } from "./random.js";
import { runRound } from "./round.js";
import { WORKLOADS, workloadNamed } from "./workloads.js";

const PROFILES = ["x86-64-v3", "x86-64-v2", "host"] as const;
const USAGE = `pnpm soak [--minutes N] [--cpus N[,N…]] [--seed S] [--rounds N] [--workload NAME] [--mode NAME] [--profile NAME] [--log FOLDER]
workloads: ${WORKLOADS.map((each) => each.name).join(", ")}
modes: ${MODES.map((each) => each.name).join(", ")}
profiles: ${PROFILES.join(", ")}`;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    cpus: { type: "string", default: "1" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    rounds: { type: "string", default: "1000000" },
    workload: { type: "string" },
    mode: { type: "string" },
    profile: { type: "string" },
    log: { type: "string", default: "soak-log" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

const end = Date.now() + Number(values.minutes) * 60_000;
const images = await fetchDebianImages();
const missing = new Set<string>();
let done = 0;
for (let round = 0; round < Number(values.rounds) && Date.now() < end; round++) {
  // A seed for each round, so that the command that repeats it need not repeat the others.
  const seed = Number(values.seed) + round;
  const random = new Random(Math.imul(seed, 2654435761));
  const workload = values.workload ? workloadNamed(values.workload) : random.pick(WORKLOADS);
  // Half of all rounds are plain: that is what people run.
  const mode = values.mode ? modeNamed(values.mode) : random.below(2) ? MODES[0]! : random.pick(MODES);
  const cpuProfile = values.profile ?? random.pick(PROFILES);
  const cpus = Number(random.pick(values.cpus.split(",")));
  if (missing.has(workload.name)) continue;
  const guest = await workload.prepare(images, cpus, random);
  if (!guest) {
    missing.add(workload.name);
    if (missing.size === (values.workload ? 1 : WORKLOADS.length)) break;
    continue;
  }
  const label = `${workload.name} mode ${mode.name} profile ${cpuProfile} cpus ${cpus} seed ${seed}`;
  const began = Date.now();
  const result = await runRound({ images, guest, mode, cpus, cpuProfile, limitMs: 20 * 60_000 });
  console.log(`${new Date().toISOString()} ${label}: ${result.outcome} after ${((Date.now() - began) / 1000).toFixed(1)} s`);
  done++;
  if (result.outcome === "ok") continue;
  const folder = join(values.log, `${seed}-${workload.name}-${mode.name}`);
  const again = `pnpm soak --rounds 1 --seed ${seed} --workload ${workload.name} --mode ${mode.name} --profile ${cpuProfile} --cpus ${cpus}`;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "console.txt"), result.console, "latin1");
  await writeFile(join(folder, "report.txt"), `${label}\n${result.outcome}\n${again}\n\n${guest.script}\n\n${result.detail}\n`);
  console.log(`${result.detail}\n\nThe console is in ${folder}/console.txt. Again:\n  ${again}`);
  process.exit(1);
}
console.log(`${done} rounds, no difference`);
process.exit(done === 0 ? 2 : 0);

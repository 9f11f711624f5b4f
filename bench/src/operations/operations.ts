// What the SDK itself costs an embedder: an exit to TypeScript and back, a machine's creation to its first instruction, validation.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineMachine, type MachineSpec, type Ringzero } from "@ringzero/core";
import { openBackend } from "../contenders/backend-lookup.js";
import { median } from "../statistics.js";
import type { ProbeResult } from "./port-probe.js";
import { consoleFirmware, probeFirmware } from "../machines/probe-firmware.js";
import { timeOperation } from "./stopwatch.js";

export interface OperationResult {
  readonly name: string;
  readonly value: number;
  readonly unit: "µs" | "ms";
}

const READS = 20_000;
const MACHINES = 5;
const CONSOLE_BYTES = 1 << 20;
const PLUGIN = fileURLToPath(new URL("./port-probe.js", import.meta.url));

/**
 * Each machine is created, makes its exits and goes; figures are medians over all of them.
 * @param backend  a backend's name, or a third party's package, looked for in the folder `from`
 */
export async function measureOperations(backend: string, from = process.cwd()): Promise<OperationResult[]> {
  const folder = await mkdtemp(join(tmpdir(), "ringzero-bench-"));
  try {
    const image = join(folder, "probe.rom");
    await writeFile(image, probeFirmware());
    const { name: chosenName, sdk } = await openBackend(backend, from, [PLUGIN]);
    await using _ = sdk;
    const spec = defineMachine({
      name: "probe",
      memory: "16MiB",
      boot: { kind: "firmware", image },
      devices: [{ plugin: "port-probe", options: { resultPath: join(folder, "result.json"), reads: READS } }],
    });
    const chosen = { backend: chosenName };
    const firstInstructionMs: number[] = [];
    const roundTripsUs: number[] = [];
    const lifeSeconds = await timeOperation(
      "create, run, dispose",
      async () => {
        const started = performance.timeOrigin + performance.now();
        await using machine = await sdk.create(spec, chosen);
        const exited = machine.exited;
        await machine.start({ timeoutMs: 60_000 });
        const exit = await exited;
        if (exit.reason !== "powered-off") throw new Error(`the probe machine ended by ${exit.reason}`);
        const result = JSON.parse(await readFile(join(folder, "result.json"), "utf8")) as ProbeResult;
        firstInstructionMs.push(result.firstMs - started);
        roundTripsUs.push(median(result.roundTripsNs) / 1000);
      },
      MACHINES,
    );
    const validations = await timeOperation(
      "validate",
      async () => {
        const report = await sdk.validate(spec, chosen);
        if (!report.ok) throw new Error(report.problems.map(({ message }) => message).join("; "));
      },
      1,
    );
    const consoleImage = join(folder, "console.rom");
    await writeFile(consoleImage, consoleFirmware(CONSOLE_BYTES));
    const consoleMs: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      consoleMs.push(await consoleRun(sdk, { ...spec, boot: { kind: "firmware", image: consoleImage }, devices: [] }, chosen));
    }
    return [
      { name: `${backend}: exit round trip, port read`, value: median(roundTripsUs), unit: "µs" },
      { name: `${backend}: create to first guest instruction`, value: median(firstInstructionMs), unit: "ms" },
      { name: `${backend}: life of a machine with ${READS} exits`, value: median(lifeSeconds) * 1000, unit: "ms" },
      { name: `${backend}: 1 MiB of console output to a reader`, value: median(consoleMs), unit: "ms" },
      { name: `${backend}: validate`, value: median(validations) * 1000, unit: "ms" },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Milliseconds from the first chunk of console output to the last byte. @throws Error when any byte is missing */
async function consoleRun(sdk: Ringzero, spec: MachineSpec, chosen: { readonly backend?: string }): Promise<number> {
  await using machine = await sdk.create(spec, chosen);
  let bytes = 0;
  let first = 0;
  await machine.start({ timeoutMs: 60_000 });
  for await (const chunk of machine.console()) {
    if (bytes === 0) first = performance.now();
    bytes += chunk.length;
    if (bytes >= CONSOLE_BYTES) break;
  }
  const spent = performance.now() - first;
  if (bytes !== CONSOLE_BYTES) throw new Error(`${bytes} of ${CONSOLE_BYTES} bytes of console output arrived`);
  await machine.exited;
  return spent;
}

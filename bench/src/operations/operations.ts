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
  readonly backend: string;
  readonly name: string;
  /** Median of the samples. */
  readonly value: number;
  readonly unit: "µs" | "ms";
  readonly samples: readonly number[];
}

const READS = 20_000;
const MACHINES = 5;
const PAUSES = 20;
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
    const pausesMs = await pauseTimes(sdk, { ...spec, devices: [] }, chosen);
    const consoleImage = join(folder, "console.rom");
    await writeFile(consoleImage, consoleFirmware(CONSOLE_BYTES));
    const consoleMs: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      consoleMs.push(await consoleRun(sdk, { ...spec, boot: { kind: "firmware", image: consoleImage }, devices: [] }, chosen));
    }
    const result = (name: string, unit: "µs" | "ms", samples: readonly number[]): OperationResult => ({
      ...{ backend, name, value: median(samples), unit, samples },
    });
    const milliseconds = (seconds: readonly number[]) => seconds.map((one) => one * 1000);
    return [
      result("exit round trip, port read", "µs", roundTripsUs),
      result("create to first guest instruction", "ms", firstInstructionMs),
      result("pause and resume a running guest", "ms", pausesMs),
      result(`life of a machine with ${READS} exits`, "ms", milliseconds(lifeSeconds)),
      result("1 MiB of console output to a reader", "ms", consoleMs),
      result("validate", "ms", milliseconds(validations)),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Milliseconds of `pause` and `resume` together, of a guest that does nothing but exit. */
async function pauseTimes(sdk: Ringzero, spec: MachineSpec, chosen: { readonly backend?: string }): Promise<number[]> {
  await using machine = await sdk.create(spec, chosen);
  await machine.start({ timeoutMs: 60_000 });
  const samples: number[] = [];
  for (let i = 0; i < PAUSES; i += 1) {
    const before = performance.now();
    await machine.pause();
    await machine.resume();
    samples.push(performance.now() - before);
  }
  await machine.stop();
  return samples;
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

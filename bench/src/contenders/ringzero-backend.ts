// A Ringzero backend, in a Node process of its own (guest-process.ts), so that start-up cost and memory are its own. With a checkout
// it is the same backend as another working copy has built it: two versions of one engine, interleaved in one run.

import { readFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Command, Contender, Guest } from "../contender.js";
import { type FoundBackend, findBackend } from "./backend-lookup.js";

const PACKAGE = fileURLToPath(new URL("../../", import.meta.url));

export interface RingzeroBackendOptions {
  /** Folder whose node_modules may hold a third party's backend. Default: the working folder. */
  readonly from?: string | undefined;
  /** Root of another working copy of Ringzero, built, whose engine is to run. */
  readonly checkout?: string | undefined;
}

export class RingzeroBackend implements Contender {
  readonly name: string;
  readonly kind = "backend";
  readonly #bench: string;
  readonly #from: string;
  #found: Promise<FoundBackend> | undefined;

  /** @param backend  a backend's name ("bt", "kvm"), or the package of a third party's backend */
  constructor(
    readonly backend: string,
    options: RingzeroBackendOptions = {},
  ) {
    this.#from = options.from ?? process.cwd();
    this.#bench = options.checkout === undefined ? PACKAGE : join(resolve(options.checkout), "bench");
    this.name = options.checkout === undefined ? backend : `${backend}@${basename(resolve(options.checkout))}`;
  }

  find(): Promise<FoundBackend> {
    return (this.#found ??= this.#lookUp());
  }

  /** Another working copy's backend may be able to do more, or less, than ours: it is asked with its own code. */
  async #lookUp(): Promise<FoundBackend> {
    if (this.#bench === PACKAGE) return await findBackend(this.backend, this.#from);
    const theirs = pathToFileURL(join(this.#bench, "dist/contenders/backend-lookup.js")).href;
    return await ((await import(theirs)) as { findBackend: typeof findBackend }).findBackend(this.backend, this.#from);
  }

  async describe(): Promise<string> {
    const { version } = JSON.parse(await readFile(join(this.#bench, "package.json"), "utf8"));
    return `Ringzero ${version}, backend ${this.backend}, Node ${process.versions.node}`;
  }

  async unavailable(): Promise<string | null> {
    const { report } = await this.find();
    return report.available ? null : report.reason;
  }

  async refuses(cpus: number): Promise<string | null> {
    const { maxVcpus } = (await this.find()).report.capabilities;
    return cpus <= maxVcpus
      ? null
      : `backend ${this.backend} has at most ${maxVcpus} virtual processor${maxVcpus === 1 ? "" : "s"}`;
  }

  async command({ boot, memoryMiB, cpus }: Guest): Promise<Command> {
    const machine = { backend: this.backend, from: this.#from, memoryMiB, cpus, ...boot };
    return { words: [process.execPath, join(this.#bench, "dist/contenders/guest-process.js"), JSON.stringify(machine)] };
  }
}

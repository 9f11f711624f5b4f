// A Ringzero backend, in a Node process of its own (guest-process.ts), so that start-up cost and memory are its own.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { USERSPACE_BANNER } from "@ringzero/boot";
import { type Contender, runProcess, type Session, type SessionResult } from "../contender.js";
import { findBackend } from "./backend-lookup.js";

const PROGRAM = fileURLToPath(new URL("./guest-process.js", import.meta.url));

export class RingzeroBackend implements Contender {
  readonly name: string;

  /** @param backend  a backend's name ("bt", "kvm"), or the package of a third party's backend */
  constructor(readonly backend: string) {
    this.name = backend;
  }

  async describe(): Promise<string> {
    const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
    return `Ringzero ${version}, backend ${this.backend}, Node ${process.versions.node}`;
  }

  async unavailable(): Promise<string | null> {
    const found = await findBackend(this.backend);
    return found.available ? null : found.reason;
  }

  async run(session: Session): Promise<SessionResult> {
    const machine = { backend: this.backend, kernel: session.kernel, initrd: session.initrd, memoryMiB: session.memoryMiB };
    const { output, markMs } = await runProcess([process.execPath, PROGRAM, JSON.stringify(machine)], {
      timeoutMs: session.timeoutMs,
      mark: USERSPACE_BANNER,
    });
    return { output, bootMs: markMs };
  }
}

// A stock Debian kernel with a BusyBox shell on its console, by default on the binary translator: what the system tests run their commands in.
// What must stay true: everything goes through the public SDK, as an embedder would do it.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { busyboxInitramfs, type DebianImages, fetchDebianImages, linux } from "@ringzero/boot";
import { defineMachine, type Machine, Ringzero } from "@ringzero/core";

const execute = promisify(execFile);
const PROMPT = /# /; // BusyBox asks the terminal for its cursor position right behind it

/** Kernel and BusyBox, or null where they are neither cached nor to be had: the tests then say so and skip. */
export async function guestImages(): Promise<DebianImages | null> {
  try {
    return await fetchDebianImages();
  } catch (error) {
    if ((error as { code?: string }).code === "IMAGE_FETCH_FAILED") return null;
    throw error;
  }
}

export interface GuestOptions {
  /** Default: Debian's cloud kernel. */
  readonly kernel?: string;
  /** Of the kernel's width. Default: the one of `images`. */
  readonly busybox?: string;
  /** Archives that lie over BusyBox's initramfs. */
  readonly initramfs?: readonly Uint8Array[];
  readonly memory?: string;
  readonly cpuProfile?: string;
  readonly cpus?: number;
  /** Further words of the kernel's command line. */
  readonly append?: string;
  /** Where the devices live. Default: in a worker. */
  readonly host?: "worker" | "inline";
  /** Default: the binary translator. */
  readonly backend?: string;
  readonly engine?: Readonly<Record<string, string | number | boolean>>;
  /** How long the prompt, and the end of a line that says nothing else, is waited for. Default: a minute. */
  readonly patienceMs?: number;
}

export class LinuxGuest {
  /** Numbers the lines, so that the text of one is never taken for another's. */
  #line = 0;

  readonly #patienceMs: number;

  private constructor(
    readonly images: DebianImages,
    readonly folder: string,
    readonly sdk: Ringzero,
    readonly machine: Machine,
    patienceMs: number,
  ) {
    this.#patienceMs = patienceMs;
  }

  /** Boot to the shell's prompt. */
  static async boot(images: DebianImages, options: GuestOptions = {}): Promise<LinuxGuest> {
    const folder = await mkdtemp(join(tmpdir(), "ringzero-system-test-"));
    const initrd: string[] = [];
    for (const archive of [
      await busyboxInitramfs({ busybox: options.busybox ?? images.busybox }),
      ...(options.initramfs ?? []),
    ]) {
      initrd.push(join(folder, `initrd-${initrd.length}.cpio`));
      await writeFile(initrd.at(-1)!, archive);
    }
    const sdk = new Ringzero({ discover: import.meta.url });
    const spec = defineMachine({
      name: "system-test",
      memory: options.memory ?? "512MiB",
      ...(options.cpus === undefined ? {} : { cpus: options.cpus }),
      ...(options.cpuProfile === undefined ? {} : { cpuProfile: options.cpuProfile }),
      ...(options.engine === undefined ? {} : { engine: options.engine }),
      boot: linux({
        kernel: options.kernel ?? images.kernel,
        initrd,
        append: `console=ttyS0 quiet panic=-1 ${options.append ?? ""}`,
      }),
    });
    const machine = await sdk.create(spec, { backend: options.backend ?? "bt", host: options.host ?? "worker" });
    const guest = new LinuxGuest(images, folder, sdk, machine, options.patienceMs ?? 60_000);
    try {
      await machine.start({ timeoutMs: 300_000 });
      await machine.console().waitFor(PROMPT, { timeoutMs: guest.#patienceMs });
      await guest.shell("stty -echo -onlcr; PS1='# '");
    } catch (error) {
      await guest.dispose();
      throw error;
    }
    return guest;
  }

  /** Run a line in the guest's shell. @returns what it printed; throws when it does not succeed */
  async shell(line: string, timeoutMs = this.#patienceMs): Promise<string> {
    const console0 = this.machine.console();
    this.#line += 1;
    const n = this.#line;
    // The markers are put together by the shell, so that an echo of the line is not taken for them.
    await console0.write(`echo BEG''IN${n}; ${line}; echo E''ND${n} $?\n`);
    const [, output, status] = await console0.waitFor(new RegExp(`BEGIN${n}\\r?\\n([\\s\\S]*?)END${n} (\\d+)\\r?\\n`), {
      timeoutMs,
    });
    if (status !== "0") throw new Error(`in the guest, ${line} ended with ${status}: ${output}`);
    return output!.replaceAll("\r\n", "\n");
  }

  /** What a line prints, however much, as the machine's console events bring it. */
  async output(line: string): Promise<string> {
    const chunks: Buffer[] = [];
    let tail = "";
    await new Promise<void>((resolve, reject) => {
      const stop = this.machine.on("console", ({ bytes }) => {
        chunks.push(Buffer.from(bytes));
        tail = (tail + chunks.at(-1)!.toString("latin1")).slice(-40);
        if (!/\nEND \d+\r?\n/.test(tail)) return;
        stop();
        resolve();
      });
      this.machine.console().write(`echo BEG''IN; ${line}; echo; echo E''ND $?\n`).catch(reject);
    });
    const text = Buffer.concat(chunks).toString("latin1").replaceAll("\r\n", "\n");
    return text.slice(text.indexOf("BEGIN\n") + 6, text.lastIndexOf("\nEND "));
  }

  /** The same line by the same BusyBox on the host. */
  async onHost(line: string): Promise<string> {
    const { stdout } = await execute(this.images.busybox, ["sh", "-c", line], { maxBuffer: 1 << 26 });
    return stdout;
  }

  async dispose(): Promise<void> {
    await this.machine.dispose();
    await this.sdk[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}

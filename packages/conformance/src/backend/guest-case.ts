// Cases that are data: a guest program, what it finds, the exits that it must cause one by one, and what it must leave behind.

import assert from "node:assert/strict";
import type { BackendCapabilities, Registers, VmConfig, VmExit } from "@ringzero/api";
import type { Feature } from "./features.js";
import type { GuestProgram } from "./program.js";
import type { Actor, Stage } from "./stage.js";

type WithoutVcpu<T> = T extends unknown ? Omit<T, "vcpu"> : never;

/** An exit without its vCPU, what the host answers to it, and what it does on the occasion. */
export type ExpectedExit = WithoutVcpu<VmExit> & {
  readonly answer?: number | bigint;
  /** An interrupt line that the host drives in its exit handler. */
  readonly line?: { readonly gsi: number; readonly asserted: boolean };
  /** An interrupt message that it sends there, after `line`. */
  readonly message?: { readonly at: number; readonly data: number };
};

/** A register by the manuals' name, of any width: `al`, `ax`, `eax`, `rax`, `r8`. */
export type RegisterValues = Readonly<Record<string, bigint>>;

export interface GuestCase {
  readonly id: string;
  readonly title: string;
  readonly uses?: readonly Feature[];
  readonly needs?: readonly (keyof BackendCapabilities)[];
  readonly program: GuestProgram;
  /** What its VM has beside memory: vCPUs, UARTs. vCPU 0 runs the program. */
  readonly config?: Partial<Pick<VmConfig, "vcpus" | "uarts">>;
  /** Registers that differ from those of its mode. */
  readonly registers?: Partial<Registers>;
  /** Further bytes in guest memory before it starts. */
  readonly memory?: readonly { readonly at: number; readonly bytes: readonly number[] }[];
  readonly exits: readonly ExpectedExit[];
  /** How the program ends; a shutdown is also the last of `exits`. Default: done. */
  readonly ends?: "done" | "shutdown";
  readonly final?: {
    readonly registers?: RegisterValues;
    readonly flags?: { readonly set?: bigint; readonly clear?: bigint };
    readonly memory?: readonly { readonly at: number; readonly bytes: readonly number[] }[];
  };
}

const NAMES = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];

/** Value of a register by name, cut to the width of the name. @throws TypeError for a name that is none */
export function registerNamed(registers: Registers, name: string): bigint {
  if (name === "cr2" || name === "rip") return registers[name];
  const numbered = /^r(\d+)$/.exec(name);
  const byte = /^([acdb])l$/.exec(name);
  const plain = NAMES.indexOf(byte ? `${byte[1]}x` : name.replace(/^[er]/, ""));
  const index = numbered ? Number(numbered[1]) : plain;
  const value = registers.gpr[index];
  if (value === undefined) throw new TypeError(`${name} is no register that a case can name`);
  const bits = byte ? 8 : name.startsWith("e") ? 32 : name.startsWith("r") ? 64 : 16;
  return BigInt.asUintN(bits, value);
}

/** Play a case. @throws AssertionError that says what differed */
export async function playGuestCase(stage: Stage, one: GuestCase): Promise<void> {
  let next = 0;
  const actor: Actor = await stage.load(one.program, one.config ?? {}, () => {
    const expected = one.exits[next++];
    if (expected?.line) actor.vm.interrupts.setLine(expected.line.gsi, expected.line.asserted);
    if (expected?.message) actor.vm.interrupts.msi(expected.message.at, expected.message.data);
    return expected?.answer;
  });
  const { vm, exits } = actor;
  for (const { at, bytes } of one.memory ?? []) vm.memory.write(at, Uint8Array.from(bytes));
  if (one.registers) await vm.vcpus[0]!.setRegisters(one.registers);
  vm.run();
  if (one.ends === "shutdown") {
    await stage.until(() => exits.some(({ kind }) => kind === "shutdown"), "the guest shut down", actor);
    await vm.pause();
  } else {
    await stage.finish(actor);
  }
  assert.deepEqual(
    exits.map(({ vcpu: _, ...rest }) => rest),
    one.exits.map(({ answer: _, line: __, message: ___, ...rest }) => rest),
    "the exits of the guest",
  );
  const { registers: wanted = {}, flags = {}, memory = [] } = one.final ?? {};
  const registers = await vm.vcpus[0]!.getRegisters();
  for (const [name, value] of Object.entries(wanted)) {
    const found = registerNamed(registers, name);
    assert.equal(found, value, `${name} is 0x${found.toString(16)}, not 0x${value.toString(16)}`);
  }
  assert.equal(registers.rflags & (flags.set ?? 0n), flags.set ?? 0n, "flags that must be set");
  assert.equal(registers.rflags & (flags.clear ?? 0n), 0n, "flags that must be clear");
  for (const { at, bytes } of memory) {
    assert.deepEqual([...vm.memory.read(at, bytes.length)], bytes, `memory at 0x${at.toString(16)}`);
  }
}

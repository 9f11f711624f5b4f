// Guest programs: assembly as it stands in a case, and the bytes that a tool of this repository made of it, so that whoever runs the suite
// needs no assembler. The text is the key: a text that was changed and not assembled again is refused, never run stale.

import { createHash } from "node:crypto";
import { ASSEMBLED } from "./assembled.js";

/** Width of the code segment that a program starts in: real mode, 32-bit protected mode without paging, or 64-bit mode. */
export type Mode = 16 | 32 | 64;

export interface GuestProgram {
  readonly mode: Mode;
  /** GNU as, Intel syntax; the program starts at CODE_AT. The macro `done` ends it; see PREAMBLE. */
  readonly source: string;
}

/** Where programs are placed and start. Below 64 KiB, so that all modes reach it. */
export const CODE_AT = 0x1000;
/** A program writes any byte to this port when it is done. */
export const DONE_PORT = 0xf4;

const programs = new Map<string, GuestProgram>();

/** What the assembler is given before each program. */
export const PREAMBLE = `
.intel_syntax noprefix
.macro done
  out 0xf4, al
9: cli
  hlt
  jmp 9b
.endm
`;

/** A program from its source; known to the tool that assembles all of them. */
export function program(mode: Mode, source: string): GuestProgram {
  const made = { mode, source };
  programs.set(programKey(made), made);
  return made;
}

/** Every program of the suite, for the tool that assembles them. */
export function allPrograms(): ReadonlyMap<string, GuestProgram> {
  return programs;
}

export function programKey({ mode, source }: GuestProgram): string {
  return createHash("sha256").update(`${mode}${PREAMBLE}${source}`).digest("hex").slice(0, 16);
}

/** @throws Error when the program was not assembled since it was last changed */
export function programBytes(wanted: GuestProgram): Uint8Array {
  const hex = ASSEMBLED[programKey(wanted)];
  if (hex === undefined) throw new Error(`this guest program is not assembled: npm run docs does it\n${wanted.source}`);
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

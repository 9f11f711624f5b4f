// Writes a BootImage to a folder as plain files and a text list, so that an engine can be tried without Node in between.
// The format, one line each:  memory <gpa> <bytes>   rom <gpa> <bytes>   load <gpa> <file>   reg <name> <value>
//   seg <name> <selector> <base> <limit> <attributes>   table <gdtr|idtr> <base> <limit>      All numbers are hexadecimal without 0x.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BootImage, MachineShape } from "@ringzero/api";
import { pcRamLayout } from "@ringzero/api";

const GPR_NAMES = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

/**
 * @param directory  made if need be; gets `boot.txt` and one `NN.bin` for each load range
 * @returns the path of `boot.txt`
 */
export async function flattenBootImage(image: BootImage, shape: MachineShape, directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const hex = (value: number | bigint) => value.toString(16);
  const lines: string[] = [];
  for (const range of pcRamLayout(shape.memoryBytes)) lines.push(`memory ${hex(range.at)} ${hex(range.sizeBytes)}`);
  for (const range of image.rom) lines.push(`rom ${hex(range.at)} ${hex(range.sizeBytes)}`);
  for (const [i, range] of image.ranges.entries()) {
    const file = `${String(i).padStart(2, "0")}.bin`;
    await writeFile(join(directory, file), range.bytes);
    lines.push(`load ${hex(range.at)} ${file}`);
  }
  const { registers } = image;
  for (const [i, value] of registers.gpr.entries()) lines.push(`reg ${GPR_NAMES[i]} ${hex(value)}`);
  for (const name of ["rip", "rflags", "cr0", "cr2", "cr3", "cr4", "cr8", "efer"] as const)
    lines.push(`reg ${name} ${hex(registers[name])}`);
  for (const name of ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"] as const) {
    const { selector, base, limit, attributes } = registers[name];
    lines.push(`seg ${name} ${hex(selector)} ${hex(base)} ${hex(limit)} ${hex(attributes)}`);
  }
  for (const name of ["gdtr", "idtr"] as const)
    lines.push(`table ${name} ${hex(registers[name].base)} ${hex(registers[name].limit)}`);
  const path = join(directory, "boot.txt");
  await writeFile(path, `${lines.join("\n")}\n`);
  return path;
}

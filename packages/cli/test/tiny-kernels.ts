// The smallest guests there are, one for each way to boot but Linux': they write one byte to debug-exit.
// Made of bytes here, so that no assembler is needed.

/** mov al, code; mov dx, 0xF4; out dx, al; hlt; jmp to the hlt. The same bytes in 16- and 32-bit code but for the width of `mov dx`. */
function exitWith(code: number, bits: 16 | 32): number[] {
  const movDx = bits === 16 ? [0xba, 0xf4, 0x00] : [0x66, 0xba, 0xf4, 0x00];
  return [0xb0, code, ...movDx, 0xee, 0xf4, 0xeb, 0xfd];
}

/** A 4 KiB ROM whose reset vector jumps back to the start of the ROM. */
export function firmwareThatExits(code: number): Uint8Array {
  const rom = Buffer.alloc(4096, 0x90);
  Buffer.from(exitWith(code, 16)).copy(rom, 0);
  rom.set([0xe9, 0x0d, 0xf0], 0xff0); // jmp near: FFF3h + F00Dh = F000h
  return rom;
}

const LOAD_AT = 0x100000;
const PT_LOAD = 1;
const PT_NOTE = 4;

/** A 32-bit ELF program of one page, loaded at 1 MiB. */
function elf32(page: Buffer, entry: number, note?: { at: number; sizeBytes: number }): Uint8Array {
  const headers = note ? 2 : 1;
  const file = Buffer.alloc(0x1000 + page.length);
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  file.writeUInt16LE(2, 16); // executable
  file.writeUInt16LE(3, 18); // x86
  file.writeUInt32LE(1, 20);
  file.writeUInt32LE(entry, 24);
  file.writeUInt32LE(52, 28); // program headers follow
  file.writeUInt16LE(52, 40);
  file.writeUInt16LE(32, 42);
  file.writeUInt16LE(headers, 44);
  const segment = (index: number, type: number, offset: number, at: number, sizeBytes: number): void => {
    for (const [i, value] of [type, offset, at, at, sizeBytes, sizeBytes, 5, 4].entries())
      file.writeUInt32LE(value, 52 + 32 * index + 4 * i);
  };
  segment(0, PT_LOAD, 0x1000, LOAD_AT, page.length);
  if (note) segment(1, PT_NOTE, 0x1000 + note.at, LOAD_AT + note.at, note.sizeBytes);
  page.copy(file, 0x1000);
  return file;
}

export function multibootKernelThatExits(code: number): Uint8Array {
  const page = Buffer.alloc(64);
  page.writeUInt32LE(0x1badb002, 0);
  page.writeUInt32LE(0, 4);
  page.writeUInt32LE(0x100000000 - 0x1badb002, 8);
  Buffer.from(exitWith(code, 32)).copy(page, 16);
  return elf32(page, LOAD_AT + 16);
}

export function pvhKernelThatExits(code: number): Uint8Array {
  const XEN_ELFNOTE_PHYS32_ENTRY = 18;
  const page = Buffer.alloc(64);
  Buffer.from(exitWith(code, 32)).copy(page, 0);
  page.writeUInt32LE(4, 32); // name, with its zero
  page.writeUInt32LE(4, 36); // content
  page.writeUInt32LE(XEN_ELFNOTE_PHYS32_ENTRY, 40);
  page.write("Xen\0", 44);
  page.writeUInt32LE(LOAD_AT, 48);
  return elf32(page, 0xdead0000, { at: 32, sizeBytes: 20 });
}

/** Real-mode firmware that breaks its own interrupt table and then needs it. */
export function firmwareThatTripleFaults(): Uint8Array {
  const rom = Buffer.alloc(4096, 0x90);
  // lidt cs:[F010h], which is an empty table; int3
  rom.set([0x2e, 0x0f, 0x01, 0x1e, 0x10, 0xf0, 0xcc], 0);
  rom.set([0, 0, 0, 0, 0, 0], 0x10);
  rom.set([0xe9, 0x0d, 0xf0], 0xff0);
  return rom;
}

// A guest program of a few dozen bytes: `debug-exit N` writes N to the debug-exit port. Stock cloud kernels have no /dev/port, so
// a shell script cannot. It asks for I/O privilege (root may), writes, and ends; without a device at the port it just ends.
// What must stay true: both listings do the same, one for 64-bit kernels, one for 32-bit ones.

/* Assembled from:
     xor ebx, ebx
     cmp dword ptr [rsp], 2          ; argc
     jl go
     mov rsi, [rsp + 16]             ; argv[1], decimal
   digit:
     movzx eax, byte ptr [rsi]; sub eax, '0'; cmp eax, 9; ja go
     imul ebx, ebx, 10; add ebx, eax; inc rsi; jmp digit
   go:
     mov eax, 172; push 3; pop rdi; syscall          ; iopl(3)
     mov edi, eax; test eax, eax; jnz quit
     mov edx, PORT; mov eax, ebx; out dx, al
   quit:
     mov eax, 231; syscall                           ; exit_group */
// biome-ignore format: one row an instruction group of the listing
const CODE_64: readonly number[] = [
  0x31, 0xdb, 0x83, 0x3c, 0x24, 0x02, 0x7c, 0x1a, 0x48, 0x8b, 0x74, 0x24, 0x10,
  0x0f, 0xb6, 0x06, 0x83, 0xe8, 0x30, 0x83, 0xf8, 0x09, 0x77, 0x0a,
  0x6b, 0xdb, 0x0a, 0x01, 0xc3, 0x48, 0xff, 0xc6, 0xeb, 0xeb,
  0xb8, 0xac, 0x00, 0x00, 0x00, 0x6a, 0x03, 0x5f, 0x0f, 0x05,
  0x89, 0xc7, 0x85, 0xc0, 0x75, 0x08,
  0xba, 0x00, 0x00, 0x00, 0x00, 0x89, 0xd8, 0xee,
  0xb8, 0xe7, 0x00, 0x00, 0x00, 0x0f, 0x05,
];

/* The same for 32 bits: argv[1] at [esp + 8]; system calls by INT 80h: 110 iopl, 252 exit_group, argument in EBX. */
// biome-ignore format: one row an instruction group of the listing
const CODE_32: readonly number[] = [
  0x31, 0xdb, 0x83, 0x3c, 0x24, 0x02, 0x7c, 0x17, 0x8b, 0x74, 0x24, 0x08,
  0x0f, 0xb6, 0x06, 0x83, 0xe8, 0x30, 0x83, 0xf8, 0x09, 0x77, 0x08,
  0x6b, 0xdb, 0x0a, 0x01, 0xc3, 0x46, 0xeb, 0xed,
  0x89, 0xdf, 0xb8, 0x6e, 0x00, 0x00, 0x00, 0xbb, 0x03, 0x00, 0x00, 0x00, 0xcd, 0x80,
  0x89, 0xc3, 0x85, 0xc0, 0x75, 0x08,
  0xba, 0x00, 0x00, 0x00, 0x00, 0x89, 0xf8, 0xee,
  0xb8, 0xfc, 0x00, 0x00, 0x00, 0xcd, 0x80,
];

/** Offset of the immediate of `mov edx, PORT`. */
const PORT_AT = { 64: 51, 32: 52 } as const;
const LINEAR = 0x400000;

/**
 * A static Linux program, as an ELF file.
 * @param port  where it writes; 0..0xffff
 * @param bits  of the kernel that it is for: x86-64, or i386
 */
export function debugExitProgram(port: number, bits: 32 | 64 = 64): Uint8Array {
  const code = bits === 64 ? CODE_64 : CODE_32;
  const headersBytes = bits === 64 ? 64 + 56 : 52 + 32;
  const view = new DataView(new ArrayBuffer(headersBytes + code.length));
  view.setUint32(0, 0x7f454c46); // magic, big-endian by its bytes
  view.setUint32(4, bits === 64 ? 0x02010100 : 0x01010100); // class, little-endian, version 1, System V
  view.setUint16(16, 2, true); // executable
  view.setUint16(18, bits === 64 ? 62 : 3, true); // x86-64 or 80386
  view.setUint32(20, 1, true);
  if (bits === 64) headers64(view, headersBytes);
  else headers32(view, headersBytes);
  const bytes = new Uint8Array(view.buffer);
  bytes.set(code, headersBytes);
  view.setUint32(headersBytes + PORT_AT[bits], port, true);
  return bytes;
}

/** The rest of the file header, and one loaded segment, readable and executable. */
function headers64(view: DataView, headersBytes: number): void {
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  u64(24, LINEAR + headersBytes); // entry
  u64(32, 64); // program headers
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true); // load
  view.setUint32(68, 5, true);
  u64(80, LINEAR);
  u64(88, LINEAR);
  u64(96, view.byteLength);
  u64(104, view.byteLength);
  u64(112, 0x1000);
}

function headers32(view: DataView, headersBytes: number): void {
  const u32 = (at: number, value: number) => view.setUint32(at, value, true);
  u32(24, LINEAR + headersBytes); // entry
  u32(28, 52); // program headers
  view.setUint16(40, 52, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, 1, true);
  u32(52, 1); // load
  u32(60, LINEAR);
  u32(64, LINEAR);
  u32(68, view.byteLength);
  u32(72, view.byteLength);
  u32(76, 5);
  u32(80, 0x1000);
}

// A guest program of 65 bytes: `debug-exit N` writes N to the debug-exit port. Stock cloud kernels have no /dev/port, so
// a shell script cannot. It asks for I/O privilege (root may), writes, and ends; without a device at the port it just ends.

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
const CODE: readonly number[] = [
  0x31, 0xdb, 0x83, 0x3c, 0x24, 0x02, 0x7c, 0x1a, 0x48, 0x8b, 0x74, 0x24, 0x10,
  0x0f, 0xb6, 0x06, 0x83, 0xe8, 0x30, 0x83, 0xf8, 0x09, 0x77, 0x0a,
  0x6b, 0xdb, 0x0a, 0x01, 0xc3, 0x48, 0xff, 0xc6, 0xeb, 0xeb,
  0xb8, 0xac, 0x00, 0x00, 0x00, 0x6a, 0x03, 0x5f, 0x0f, 0x05,
  0x89, 0xc7, 0x85, 0xc0, 0x75, 0x08,
  0xba, 0x00, 0x00, 0x00, 0x00, 0x89, 0xd8, 0xee,
  0xb8, 0xe7, 0x00, 0x00, 0x00, 0x0f, 0x05,
];
const PORT_AT = 51; // the immediate of `mov edx, PORT`

/**
 * A static x86-64 Linux program, as an ELF file.
 * @param port  where it writes; 0..0xffff
 */
export function debugExitProgram(port: number): Uint8Array {
  const HEADERS_BYTES = 64 + 56;
  const LINEAR = 0x400000;
  const view = new DataView(new ArrayBuffer(HEADERS_BYTES + CODE.length));
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  view.setUint32(0, 0x7f454c46); // magic, big-endian by its bytes
  view.setUint32(4, 0x02010100); // 64-bit, little-endian, version 1, System V
  view.setUint16(16, 2, true); // executable
  view.setUint16(18, 62, true); // x86-64
  view.setUint32(20, 1, true);
  u64(24, LINEAR + HEADERS_BYTES); // entry
  u64(32, 64); // program headers
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true); // load …
  view.setUint32(68, 5, true); // … readable, executable
  u64(80, LINEAR);
  u64(88, LINEAR);
  u64(96, view.byteLength);
  u64(104, view.byteLength);
  u64(112, 0x1000);
  const bytes = new Uint8Array(view.buffer);
  bytes.set(CODE, HEADERS_BYTES);
  view.setUint32(HEADERS_BYTES + PORT_AT, port, true);
  return bytes;
}

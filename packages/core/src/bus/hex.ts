// Addresses and ports as messages show them.

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

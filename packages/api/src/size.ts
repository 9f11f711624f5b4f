// Sizes as people write them ("512MiB", "1GiB") to bytes.
// What must stay true: only exact results; nothing is rounded, and units are binary.

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 2 ** 10,
  kib: 2 ** 10,
  m: 2 ** 20,
  mib: 2 ** 20,
  g: 2 ** 30,
  gib: 2 ** 30,
  t: 2 ** 40,
  tib: 2 ** 40,
};

/**
 * Bytes of a size such as 4096, "64KiB", "512M" or "1.5GiB". K, M, G, T are binary with or without "iB"; "MB" is refused as ambiguous.
 * @returns a non-negative safe integer, or null when it is not a size or not a whole number of bytes
 */
export function parseSize(size: string | number): number | null {
  if (typeof size === "number") return Number.isSafeInteger(size) && size >= 0 ? size : null;
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(size);
  if (!match) return null;
  const unit = UNITS[match[2]!.toLowerCase()];
  if (unit === undefined) return null;
  const bytes = Number(match[1]) * unit;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** "512MiB", "1.5GiB", "4096B": the largest unit that gives at most two decimals. */
export function formatSize(sizeBytes: number): string {
  for (const [name, unit] of [
    ["TiB", 2 ** 40],
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ] as const) {
    const count = sizeBytes / unit;
    if (count >= 1 && Number.isInteger(count * 100)) return `${count}${name}`;
  }
  return `${sizeBytes}B`;
}

// A small emitter of ACPI Machine Language: just the terms that our DSDT uses, each a function that returns bytes.
// Source: ACPI specification, "ACPI Machine Language (AML) Specification". What must stay true: `iasl -d` takes every output.

export type Aml = Uint8Array;

const text = new TextEncoder();

export function concat(...parts: readonly Aml[]): Aml {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** PkgLength, which counts itself too. */
function withPackageLength(body: Aml): Aml {
  const encode = (total: number, bytes: number): Aml =>
    bytes === 1
      ? Uint8Array.of(total)
      : Uint8Array.from([
          ((bytes - 1) << 6) | (total & 0xf),
          ...Array.from({ length: bytes - 1 }, (_, i) => (total >> (4 + 8 * i)) & 0xff),
        ]);
  if (body.length + 1 < 0x40) return concat(encode(body.length + 1, 1), body);
  for (const bytes of [2, 3, 4]) {
    const total = body.length + bytes;
    if (total < 2 ** (4 + 8 * (bytes - 1))) return concat(encode(total, bytes), body);
  }
  throw new RangeError(`an AML package of ${body.length} bytes is too long`);
}

/** A name of up to four characters, padded with `_`; a leading `\` makes it absolute; `.` separates segments. */
export function nameString(path: string): Aml {
  const root = path.startsWith("\\");
  const segments = (root ? path.slice(1) : path).split(".").filter((segment) => segment !== "");
  for (const segment of segments) {
    if (!/^[A-Z_][A-Z0-9_]{0,3}$/.test(segment)) throw new RangeError(`"${segment}" is not an ACPI name`);
  }
  const prefix =
    segments.length === 0 ? [0] : segments.length === 1 ? [] : segments.length === 2 ? [0x2e] : [0x2f, segments.length];
  return Uint8Array.from([
    ...(root ? [0x5c] : []),
    ...prefix,
    ...segments.flatMap((segment) => [...text.encode(segment.padEnd(4, "_"))]),
  ]);
}

/** The shortest constant that holds `value`, 0 to 2^32-1. */
export function integer(value: number): Aml {
  if (value === 0 || value === 1) return Uint8Array.of(value);
  if (value <= 0xff) return Uint8Array.of(0x0a, value);
  if (value <= 0xffff) return Uint8Array.of(0x0b, value & 0xff, value >> 8);
  return Uint8Array.of(0x0c, value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
}

export function string(value: string): Aml {
  return concat(Uint8Array.of(0x0d), text.encode(value), Uint8Array.of(0));
}

/** An EISA identifier such as `PNP0501`, compressed into 32 bits. */
export function eisaId(id: string): Aml {
  if (!/^[A-Z]{3}[0-9A-F]{4}$/.test(id)) throw new RangeError(`"${id}" is not an EISA identifier`);
  const letter = (i: number) => id.charCodeAt(i) - 0x40;
  const vendor = (letter(0) << 10) | (letter(1) << 5) | letter(2);
  const product = Number.parseInt(id.slice(3), 16);
  return Uint8Array.of(0x0c, vendor >> 8, vendor & 0xff, product >> 8, product & 0xff);
}

export function buffer(bytes: Aml): Aml {
  return concat(Uint8Array.of(0x11), withPackageLength(concat(integer(bytes.length), bytes)));
}

export function packageOf(...elements: readonly Aml[]): Aml {
  return concat(Uint8Array.of(0x12), withPackageLength(concat(Uint8Array.of(elements.length), ...elements)));
}

export function name(path: string, value: Aml): Aml {
  return concat(Uint8Array.of(0x08), nameString(path), value);
}

export function scope(path: string, ...terms: readonly Aml[]): Aml {
  return concat(Uint8Array.of(0x10), withPackageLength(concat(nameString(path), ...terms)));
}

export function device(path: string, ...terms: readonly Aml[]): Aml {
  return concat(Uint8Array.of(0x5b, 0x82), withPackageLength(concat(nameString(path), ...terms)));
}

// Resource descriptors, for a `_CRS`.

/** A fixed range of I/O ports, decoded with 16 bits. */
export function ioPorts(first: number, count: number): Aml {
  return Uint8Array.of(0x47, 0x01, first & 0xff, first >> 8, first & 0xff, first >> 8, 0x01, count);
}

/** One ISA interrupt: edge-triggered, active high, exclusive. */
export function irq(line: number): Aml {
  const mask = 1 << line;
  return Uint8Array.of(0x22, mask & 0xff, mask >> 8);
}

/** `_CRS` made of descriptors. */
export function currentResources(...descriptors: readonly Aml[]): Aml {
  return name("_CRS", buffer(concat(...descriptors, Uint8Array.of(0x79, 0x00)))); // end tag; checksum 0 means "not computed"
}

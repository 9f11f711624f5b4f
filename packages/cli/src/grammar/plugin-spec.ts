// The grammar of --device, --disk and --net: `name:key=value,key=value…`, to a plugin's name and its options.
// What must stay true: every option of a plugin that is a string, a number, a boolean or a list of those can be written;
// whatever else a plugin needs is written in a --spec file.

/** A plugin's name and options, as they stand in a machine specification. */
export interface ParsedPluginSpec {
  readonly plugin: string;
  /** Absent when the text has none. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/** What is wrong with one SPEC. The message names the text and the remedy, but not the option that it was given to. */
export class PluginSpecError extends Error {
  override readonly name = "PluginSpecError";
}

const FORM = "write NAME or NAME:key=value,key=value";

/**
 * Parse one SPEC.
 *
 * `a:b=c,d=e` is plugin `a` with options `b` and `d`. A key without `=` is `true`. A key that is repeated becomes a list. Values are
 * numbers (decimal or 0x…), `true`, `false`, or text; text in double quotes is always text, and may hold commas; `\"` and `\\` inside.
 * The name ends at the first colon after which an option follows, so that package names with a scope need nothing special.
 * @throws PluginSpecError
 */
export function parsePluginSpec(text: string): ParsedPluginSpec {
  const colon = text.indexOf(":");
  const plugin = (colon < 0 ? text : text.slice(0, colon)).trim();
  if (plugin === "") throw new PluginSpecError(`${JSON.stringify(text)} names no plugin; ${FORM}`);
  if (colon < 0) {
    if (/[=,]/.test(plugin))
      throw new PluginSpecError(`${JSON.stringify(text)} has options but no plugin name before them; ${FORM}`);
    return { plugin };
  }
  const options: Record<string, unknown> = {};
  for (const item of splitItems(text, text.slice(colon + 1))) {
    const equals = item.indexOf("=");
    const key = (equals < 0 ? item : item.slice(0, equals)).trim();
    if (!/^[A-Za-z][A-Za-z0-9_.-]*$/.test(key))
      throw new PluginSpecError(`${JSON.stringify(text)}: ${JSON.stringify(item)} is not key=value; ${FORM}`);
    const value = equals < 0 ? true : parseValue(text, item.slice(equals + 1));
    const before = Object.hasOwn(options, key) ? options[key] : undefined;
    const next = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
    Object.defineProperty(options, key, { value: next, enumerable: true, configurable: true, writable: true }); // also for a key such as __proto__
  }
  return Object.keys(options).length === 0 ? { plugin } : { plugin, options };
}

/** Split at commas outside double quotes. */
function splitItems(text: string, list: string): string[] {
  const items: string[] = [];
  let item = "";
  let quoted = false;
  for (let i = 0; i < list.length; i++) {
    const c = list[i]!;
    if (quoted && c === "\\") {
      item += c + (list[++i] ?? "");
    } else if (c === "," && !quoted) {
      items.push(item);
      item = "";
    } else {
      if (c === '"') quoted = !quoted;
      item += c;
    }
  }
  if (quoted)
    throw new PluginSpecError(
      `${JSON.stringify(text)}: a double quote is not closed; close it, or write \\" for one that is part of a quoted value`,
    );
  items.push(item);
  if (items.length === 1 && items[0] === "") return [];
  const empty = items.findIndex((one) => one.trim() === "");
  if (empty >= 0)
    throw new PluginSpecError(`${JSON.stringify(text)}: item ${empty + 1} after the colon is empty; remove the stray comma`);
  return items;
}

function parseValue(text: string, value: string): string | number | boolean {
  if (value.startsWith('"')) {
    const match = /^"((?:[^"\\]|\\.)*)"$/.exec(value);
    if (!match)
      throw new PluginSpecError(
        `${JSON.stringify(text)}: something follows the closing quote in ${value}; quote the whole value`,
      );
    return match[1]!.replace(/\\(.)/g, "$1");
  }
  if (value === "true") return true;
  if (value === "false") return false;
  if (/^(0x[0-9a-fA-F]+|-?(0|[1-9][0-9]*))$/.test(value)) {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return number;
  }
  return value;
}

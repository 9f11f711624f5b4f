// What a check says of the host.

/** `ok`; `note`: machines run, but not as well as they could; `trouble`: something does not work. */
export type FindingLevel = "ok" | "note" | "trouble";

export interface Finding {
  /** Name of the check, stable for whoever reads the JSON. */
  readonly check: string;
  readonly level: FindingLevel;
  /** What is so, in a sentence. */
  readonly says: string;
  /** What to do about it; null when nothing has to be done, or can be. */
  readonly remedy: string | null;
}

export const ok = (check: string, says: string): Finding => ({ check, level: "ok", says, remedy: null });
export const note = (check: string, says: string, remedy: string | null): Finding => ({ check, level: "note", says, remedy });
export const trouble = (check: string, says: string, remedy: string): Finding => ({ check, level: "trouble", says, remedy });

// How what runs in the lab says what came out: a line each on the console, read on the host. What must stay true: only whole lines with
// the mark count, so that nothing that a guest prints is taken for a result.

const MARK = "kvm-lab:";

export type LabResult =
  | { readonly kind: "passed" | "failed" | "skipped"; readonly name: string; readonly detail: string }
  | { readonly kind: "done" };

/** Begins with an end of line: a guest may have left the console in the middle of one. */
export const resultLine = (result: LabResult): string =>
  result.kind === "done"
    ? `\n${MARK} done`
    : `\n${MARK} ${result.kind} | ${result.name} | ${result.detail.replaceAll(/\s+/g, " ")}`;

/** @returns null for any other line */
export function parseResultLine(line: string): LabResult | null {
  if (line.trim() === `${MARK} done`) return { kind: "done" };
  const match = new RegExp(`^${MARK} (passed|failed|skipped) \\| ([^|]*) \\| ?(.*)$`).exec(line.trim());
  if (!match) return null;
  return { kind: match[1] as "passed" | "failed" | "skipped", name: match[2]!, detail: match[3]! };
}

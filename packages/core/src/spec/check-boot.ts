// Checks `boot`: its form by its kind, and that every file it names is there. What is in the files is the boot plugin's to judge.

import type { BootSource, SpecProblem } from "@ringzero/api";
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { BOOT_FORMS } from "./known-schemas.js";
import { dataProblems, schemaProblems, shown } from "./schema-problems.js";

/** Form only. */
export function bootFormProblems(boot: unknown): SpecProblem[] {
  if (boot === undefined)
    return [{ path: "boot", code: "missing", message: "boot is required: say linux({ kernel }) or another way to start" }];
  if (typeof boot !== "object" || boot === null || Array.isArray(boot)) {
    return [
      {
        path: "boot",
        code: "wrong-type",
        message: `must be an object such as { kind: "linux", kernel: PATH }, not ${shown(boot)}`,
      },
    ];
  }
  const kind = (boot as { kind?: unknown }).kind;
  const schema = BOOT_FORMS.get(kind as string);
  if (!schema) {
    const possible = [...BOOT_FORMS.keys()].join(", ");
    return [
      {
        path: "boot.kind",
        code: kind === undefined ? "missing" : "bad-value",
        message: `must be one of ${possible}, not ${shown(kind)}`,
      },
    ];
  }
  return dataProblems(boot, "boot").length > 0 ? [] : schemaProblems(schema, boot, "boot");
}

/** Files that a source of good form names, with the field of each. */
function filesOf(boot: BootSource): { field: string; path: string }[] {
  if (boot.kind === "firmware") return [{ field: "boot.image", path: boot.image }];
  const list = boot.kind === "linux" ? (boot.initrd ?? []) : (boot.modules ?? []);
  const name = boot.kind === "linux" ? "initrd" : "modules";
  return [
    { field: "boot.kernel", path: boot.kernel },
    ...list.map((path, i) => ({ field: `boot.${name}[${i}]`, path: boot.kind === "multiboot" ? path.split(" ")[0]! : path })),
  ];
}

export async function bootFileProblems(boot: BootSource): Promise<SpecProblem[]> {
  const checked = await Promise.all(
    filesOf(boot).map(async ({ field, path }): Promise<SpecProblem | null> => {
      try {
        if ((await stat(path)).isDirectory())
          return { path: field, code: "file-unreadable", message: `${path} is a directory; name a file` };
        await access(path, constants.R_OK);
        return null;
      } catch (error) {
        const errno = (error as NodeJS.ErrnoException).code;
        return errno === "ENOENT" || errno === "ENOTDIR"
          ? {
              path: field,
              code: "file-missing",
              message: `there is no file ${path}; the path is relative to the working directory`,
            }
          : {
              path: field,
              code: "file-unreadable",
              message: `${path} cannot be read (${errno ?? String(error)}); check its permissions`,
            };
      }
    }),
  );
  return checked.filter((problem) => problem !== null);
}

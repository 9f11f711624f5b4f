// Where the doctor's facts come from: the one place that touches the host, so that every check is a pure function and tested as one.

import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { availableParallelism, userInfo } from "node:os";
import { delimiter, join } from "node:path";

export interface HostReader {
  readonly platform: string;
  readonly arch: string;
  /** Without a leading v. */
  readonly nodeVersion: string;
  /** Processors that this process may use. */
  readonly cpus: number;
  readonly userName: string;
  /** The groups of this process, which are those of its login, not those of /etc/group now. */
  readonly groupIds: readonly number[];
  /** A file of the kernel's or of the system's configuration; null when it cannot be read. */
  text(path: string): string | null;
  /** Whether this process may read and write it. */
  access(path: string): "ok" | "missing" | "denied";
  /** The group that a file belongs to; null when there is no such file. */
  groupOf(path: string): number | null;
  /** Whether a program is in PATH. */
  hasProgram(name: string): boolean;
}

export function hostReader(): HostReader {
  return {
    platform: process.platform,
    arch: process.arch,
    nodeVersion: process.versions.node,
    cpus: availableParallelism(),
    userName: nameOfUser(),
    groupIds: process.getgroups?.() ?? [],
    text(path) {
      try {
        return readFileSync(path, "utf8");
      } catch {
        return null; // absent and forbidden are the same to a check: it knows nothing
      }
    },
    access(path) {
      try {
        accessSync(path, constants.R_OK | constants.W_OK);
        return "ok";
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        return code === "ENOENT" || code === "ENOTDIR" ? "missing" : "denied";
      }
    },
    groupOf: (path) => statSync(path, { throwIfNoEntry: false })?.gid ?? null,
    hasProgram: (name) =>
      (process.env["PATH"] ?? "").split(delimiter).some((folder) => folder !== "" && executable(join(folder, name))),
  };
}

function nameOfUser(): string {
  try {
    return userInfo().username;
  } catch {
    return "USER"; // a user id without an entry, as in containers
  }
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

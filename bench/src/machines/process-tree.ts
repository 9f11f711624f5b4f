// What a program and everything that it started hold in memory and spend of the processors, read from /proc.
// What must stay true: guest RAM is told apart from what the engine itself needs, in the same way for every contender.

import { readdir, readFile } from "node:fs/promises";

export interface ResidentMemory {
  /** All of it, by proportional shares: a page that two processes map counts half for each. */
  readonly totalBytes: number;
  /** The same without the guest's RAM. */
  readonly aboveRamBytes: number;
  /** All of it as if nothing else ran on the host: pages of files, which other processes may map too, count in full. */
  readonly aloneBytes: number;
}

interface Mapping {
  readonly inode: string;
  readonly shared: boolean;
  sizeBytes: number;
  pssBytes: number;
  rssBytes: number;
}

/** A process and its descendants that exist now. */
export async function processTree(root: number): Promise<number[]> {
  const children = new Map<number, number[]>();
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, "latin1").catch(() => null);
    const parent = Number(stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? -1);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const all: number[] = [];
  for (let next = [root]; next.length > 0; next = next.flatMap((pid) => children.get(pid) ?? [])) all.push(...next);
  return all;
}

/** Seconds of processor time of all threads that exist now, to the nanosecond that the scheduler counts. */
export async function processorSeconds(pids: readonly number[]): Promise<number> {
  let nanoseconds = 0;
  for (const pid of pids) {
    for (const thread of await readdir(`/proc/${pid}/task`).catch(() => [])) {
      const schedule = await readFile(`/proc/${pid}/task/${thread}/schedstat`, "latin1").catch(() => "0");
      nanoseconds += Number(schedule.split(" ")[0]);
    }
  }
  return nanoseconds / 1e9;
}

/**
 * @param ramBytes  size of the guest's RAM: a writable mapping of half of that or more is taken to be it
 */
export async function residentMemory(pids: readonly number[], ramBytes: number): Promise<ResidentMemory> {
  const mappings = (await Promise.all(pids.map(mappingsOf))).flat();
  const ramFiles = new Set(mappings.filter((one) => one.shared && one.sizeBytes >= ramBytes / 2).map(({ inode }) => inode));
  const isRam = (one: Mapping) =>
    ramFiles.size > 0 ? ramFiles.has(one.inode) : one.inode === "0" && one.rssBytes > 0 && one.sizeBytes >= ramBytes / 2;
  const sum = (of: (one: Mapping) => number, which: readonly Mapping[]) => which.reduce((bytes, one) => bytes + of(one), 0);
  const totalBytes = sum(({ pssBytes }) => pssBytes, mappings);
  const files = mappings.filter((one) => one.inode !== "0" && !one.shared);
  return {
    totalBytes,
    aboveRamBytes: totalBytes - sum(({ pssBytes }) => pssBytes, mappings.filter(isRam)),
    aloneBytes: totalBytes + sum(({ rssBytes, pssBytes }) => rssBytes - pssBytes, files),
  };
}

async function mappingsOf(pid: number): Promise<Mapping[]> {
  const text = await readFile(`/proc/${pid}/smaps`, "latin1").catch(() => "");
  const found: Mapping[] = [];
  for (const line of text.split("\n")) {
    const head = /^[0-9a-f]+-[0-9a-f]+ (\S{4}) [0-9a-f]+ \S+ (\d+)/.exec(line);
    if (head) found.push({ inode: head[2]!, shared: head[1]![3] === "s", sizeBytes: 0, pssBytes: 0, rssBytes: 0 });
    const field = /^(Size|Pss|Rss): +(\d+) kB/.exec(line);
    const mapping = found.at(-1);
    if (!field || !mapping) continue;
    const bytes = Number(field[2]) * 1024;
    if (field[1] === "Size") mapping.sizeBytes = bytes;
    else if (field[1] === "Pss") mapping.pssBytes = bytes;
    else mapping.rssBytes = bytes;
  }
  return found;
}

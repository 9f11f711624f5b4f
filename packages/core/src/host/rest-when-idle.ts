// For programs that only run machines: V8 collects garbage some seconds after a program has fallen silent, in each of its isolates,
// on all of its threads, to give memory back that such a program needs again. That is twice what an idle guest itself costs.
// What must stay true: while a thread starts, V8 has no flag by which it would take its own cache of Node's code for stale.

import { setFlagsFromString } from "node:v8";

/** Longer than a worker takes to load, and shorter than V8 waits before it collects: eight seconds at least. */
const SETTLED_MS = 4_000;

let asked = false;
let timer: NodeJS.Timeout | null = null;

/**
 * Tell V8 to leave a silent process alone: no garbage collections but those that allocation asks for. It holds for the whole process, its
 * workers included, so it is for a program's first lines and not for libraries. The `ringzero` command calls it.
 */
export function restWhenIdle(): void {
  asked = true;
  setFlagsFromString("--no-memory-reducer");
  restLater();
}

/** A thread is about to be started: it, too, shall find Node's own modules compiled. */
export function stirForWorker(): void {
  if (asked) restLater();
}

/**
 * The isolate that runs now has its reducer already and looks at this flag alone, before it starts one. What allocation asks for is collected in one piece
 * then: some milliseconds, with heaps as small as such a program's. But what code was compiled under another value of it is compiled again: a worker
 * that started then took 81 instead of 37 ms of processor time before its first line.
 */
function restLater(): void {
  setFlagsFromString("--incremental-marking");
  if (timer) clearTimeout(timer);
  timer = setTimeout(() => {
    timer = null;
    setFlagsFromString("--no-incremental-marking");
  }, SETTLED_MS);
  timer.unref();
}

// For programs that only run machines: V8 collects garbage some seconds after a program has fallen silent, in each of its isolates,
// on all of its threads, to give memory back that such a program needs again. That is twice what an idle guest itself costs.

import { setFlagsFromString } from "node:v8";

/**
 * Tell V8 to leave a silent process alone: no garbage collections but those that allocation asks for. It holds for the whole process, its
 * workers included, so it is for a program's first lines and not for libraries. The `ringzero` command calls it.
 */
export function restWhenIdle(): void {
  setFlagsFromString("--no-memory-reducer");
  // The isolate that runs now has its reducer already and looks at this flag alone, before it starts one. What allocation asks for is
  // collected in one piece then: some milliseconds, with heaps as small as such a program's.
  setFlagsFromString("--no-incremental-marking");
}

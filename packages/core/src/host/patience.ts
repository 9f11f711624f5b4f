// A limit for what others must answer while a machine moves. What must stay true: what comes too late is put away, not lost.

import { RingzeroError } from "@ringzero/api";

/** Waits for one thing, for so long. @param late  gets what came when nobody waited any more */
export type Within = <T>(what: string, answer: Promise<T>, late?: (value: T) => void) => Promise<T>;

/**
 * @param limitMs  for each thing that is waited for
 * @param otherwise  what happens then, for the message
 * @returns rejects with RingzeroError `MOVE_TIMEOUT` that says what did not answer
 */
export function patience(limitMs: number, otherwise: string): Within {
  return async (what, answer, late) => {
    let waits = true;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        waits = false;
        const message = `${what} did not answer within ${limitMs} ms; ${otherwise}`;
        reject(new RingzeroError("MOVE_TIMEOUT", message));
      }, limitMs);
    });
    const watched = answer.then((value) => {
      if (!waits) late?.(value);
      return value;
    });
    try {
      return await Promise.race([watched, limit]);
    } finally {
      clearTimeout(timer);
    }
  };
}

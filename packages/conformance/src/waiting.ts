// Waiting with a limit for what a case expects to happen.

/** How long a case waits for something that takes a real machine microseconds. */
export const PATIENCE_MS = 60_000;

/**
 * @param check  looked at every millisecond; what it throws ends the wait
 * @param what  for the message; taken when the time is over
 * @throws Error when `check` is not true in time
 */
export async function waitUntil(check: () => boolean, what: () => string, limitMs: number): Promise<void> {
  const endMs = Date.now() + limitMs;
  while (!check()) {
    if (Date.now() > endMs) throw new Error(`waited ${limitMs} ms in vain until ${what()}`);
    await sleep(1);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

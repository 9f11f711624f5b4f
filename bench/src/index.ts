// Public entry of @ringzero/bench.

export {};

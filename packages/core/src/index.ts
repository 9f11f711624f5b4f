// Public entry of @ringzero/core.

export {};

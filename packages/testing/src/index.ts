// Public entry of @ringzero/testing.

export {};

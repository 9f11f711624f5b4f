// Public entry of @ringzero/api.

export {};

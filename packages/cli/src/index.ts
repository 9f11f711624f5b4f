// Public entry of @ringzero/cli.

export {};

// Public entry of @ringzero/conformance.

export {};

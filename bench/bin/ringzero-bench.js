#!/usr/bin/env node
// The command of the package; all of it is in src/main.ts.
import "../dist/main.js";

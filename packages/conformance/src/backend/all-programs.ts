// Every guest program of the suite, for the tool that assembles them: importing the cases makes them known.

import "./cases/index.js";
import "./contract/index.js";
import "./missing-features.js";
import "../move/cases/index.js";

export { allPrograms, CODE_AT, PREAMBLE } from "./program.js";

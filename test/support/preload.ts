/** Runs before every test file (bunfig.toml). */

import { jest } from "bun:test";
import { createRequire } from "node:module";

// The loader of the JPEG codec's binary calls jest.requireActual wherever a `jest` is in sight; Bun's has none.
Object.assign(jest, { requireActual: createRequire(import.meta.url) });

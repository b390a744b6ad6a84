/** Clips and models for tests: beside the project, or fetched before by the product. */
import { existsSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");

/** The path of `media/…` or `models/…`, or null where this machine has none. */
export const testMedia = (name: string): string | null =>
  [join(root, "../shared", name), join(root, ".cache", name)].find((path) => existsSync(path)) ?? null;

/** Folders for what a bench writes: on the disk of the repository, for a temporary directory may be memory, where a sync costs nothing. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

const parent = join(import.meta.dirname, "../.cache/bench");

export type Folder = { readonly path: string; readonly remove: () => void };

export const emptyFolder = (): Folder => {
  mkdirSync(parent, { recursive: true });
  const path = mkdtempSync(join(parent, "run-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
};

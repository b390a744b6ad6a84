/** A directory of one test. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type TempDir = AsyncDisposable & { readonly path: string };

/** `await using directory = await tempDir();` removes it, and what is in it, at the end of the block. */
export const tempDir = async (prefix = "vedette-"): Promise<TempDir> => {
  const path = await mkdtemp(join(tmpdir(), prefix));
  return {
    path,
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
    },
  };
};

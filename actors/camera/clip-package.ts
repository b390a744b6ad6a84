/** Takes the sample clip out of Debian's `opencv-doc`: the package is downloaded and unpacked, not installed; no root is needed. */
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { RunProcess } from "../../runtime/run-process.ts";

const downloadMs = 60_000;
const unpackMs = 30_000;
const samples = join("usr", "share", "doc", "opencv-doc", "examples", "data");
const unpackedBytesMax = 64 * 1024 * 1024;

const runOrThrow = async (run: RunProcess, command: readonly string[], cwd: string, timeoutMs: number): Promise<void> => {
  const result = await run(command, { cwd, timeoutMs });
  const [program = ""] = command;
  if (!result) throw new Error(`this machine has no ${program}`);
  if (result.exitCode === 0) return;
  if (result.exitCode === -1) throw new Error(`${program} was ended before it was done, at the latest after ${timeoutMs} ms`);
  const lines = result.errors.split("\n");
  const line = lines.findLast((text) => text.startsWith("E:")) ?? lines[0] ?? "";
  throw new Error(`${program} ended with ${result.exitCode}: ${line.slice(0, 200)}`);
};

/** Writes the clip to `path`. */
export const takeFromPackage = async (path: string, run: RunProcess): Promise<void> => {
  const directory = await mkdtemp(join(tmpdir(), "vedette-clip-"));
  try {
    await runOrThrow(run, ["apt-get", "download", "opencv-doc"], directory, downloadMs);
    const archive = (await readdir(directory)).find((name) => name.endsWith(".deb"));
    if (!archive) throw new Error("apt-get downloaded nothing");
    await runOrThrow(run, ["dpkg-deb", "-x", archive, "unpacked"], directory, unpackMs);
    const data = join(directory, "unpacked", samples);
    const name = (await readdir(data).catch(() => [])).find((entry) => /^vtest\.avi(\.gz)?$/.test(entry));
    if (!name) throw new Error("the package does not hold vtest.avi");
    if (!name.endsWith(".gz")) await copyFile(join(data, name), path);
    else await writeFile(path, gunzipSync(await readFile(join(data, name)), { maxOutputLength: unpackedBytesMax }));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};

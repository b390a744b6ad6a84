/** Takes the sample clip out of Debian's `opencv-doc`: the package is downloaded and unpacked, not installed; no root is needed. */
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Clock } from "../../runtime/clock.ts";

export type ProcessResult = { readonly exitCode: number; readonly stderr: string };

/** Runs a program to its end; null when this machine does not have it. Killed when `signal` aborts. */
export type RunProcess = (
  command: readonly string[],
  options: { readonly cwd: string; readonly signal: AbortSignal },
) => Promise<ProcessResult | null>;

export type PackagePorts = { readonly clock: Clock; readonly run: RunProcess; readonly signal?: AbortSignal };

const timeoutMs = 60_000;
const samples = join("usr", "share", "doc", "opencv-doc", "examples", "data");
const unpackedBytesMax = 64 * 1024 * 1024;

const runOrThrow = async (run: RunProcess, command: readonly string[], cwd: string, signal: AbortSignal): Promise<void> => {
  const result = await run(command, { cwd, signal });
  const [program = ""] = command;
  if (!result) throw new Error(`this machine has no ${program}`);
  signal.throwIfAborted();
  if (result.exitCode === 0) return;
  const line = result.stderr.split("\n").findLast((text) => text.startsWith("E:")) ?? result.stderr.split("\n")[0] ?? "";
  throw new Error(`${program} ended with ${result.exitCode}: ${line.slice(0, 200)}`);
};

/** Writes the clip to `path`, within a minute. */
export const takeFromPackage = async (path: string, { clock, run, signal }: PackagePorts): Promise<void> => {
  const limit = new AbortController();
  const abort = () => limit.abort(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  const cancel = clock.after(timeoutMs, () => limit.abort(new Error(`not done within ${timeoutMs / 1000} s`)));
  const directory = await mkdtemp(join(tmpdir(), "vedette-clip-"));
  try {
    await runOrThrow(run, ["apt-get", "download", "opencv-doc"], directory, limit.signal);
    const archive = (await readdir(directory)).find((name) => name.endsWith(".deb"));
    if (!archive) throw new Error("apt-get downloaded nothing");
    await runOrThrow(run, ["dpkg-deb", "-x", archive, "unpacked"], directory, limit.signal);
    const data = join(directory, "unpacked", samples);
    const name = (await readdir(data).catch(() => [])).find((entry) => /^vtest\.avi(\.gz)?$/.test(entry));
    if (!name) throw new Error("the package does not hold vtest.avi");
    if (!name.endsWith(".gz")) await copyFile(join(data, name), path);
    else await writeFile(path, gunzipSync(await readFile(join(data, name)), { maxOutputLength: unpackedBytesMax }));
  } finally {
    cancel();
    signal?.removeEventListener("abort", abort);
    await rm(directory, { recursive: true, force: true });
  }
};

/** The real process runner. */
export const runProcess: RunProcess = async (command, { cwd, signal }) => {
  const [program = "", ...rest] = command;
  const path = Bun.which(program);
  if (!path) return null;
  const child = Bun.spawn([path, ...rest], { cwd, stdin: "ignore", stdout: "ignore", stderr: "pipe", signal });
  const [exitCode, stderr] = await Promise.all([child.exited, new Response(child.stderr).text()]);
  return { exitCode, stderr };
};

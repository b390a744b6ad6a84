import { describe, expect, test } from "bun:test";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type ClipPorts, type ClipResult, findClip, isClip } from "../../../../actors/camera/clip.ts";
import type { RunProcess } from "../../../../runtime/run-process.ts";
import { type TempDir, tempDir } from "../../../support/temp-dir.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";
import { within } from "../../../support/wait.ts";

const avi = (bytes = 200_000): Uint8Array<ArrayBuffer> => {
  const clip = new Uint8Array(bytes).fill(7);
  clip.set(Buffer.from("RIFF\0\0\0\0AVI "));
  return clip;
};
const places = [
  { name: "vtest.avi", url: "https://first.example/vtest.avi" },
  { name: "car-detection.mp4", url: "https://second.example/car.mp4" },
];
const samples = "usr/share/doc/opencv-doc/examples/data";

/** Plays apt-get and dpkg-deb; the package holds `file`, or the run ends with `error`. */
const debian =
  (file: [name: string, bytes: Uint8Array] | null, error = ""): RunProcess =>
  async ([program, ...rest], { cwd }) => {
    if (error !== "") return { exitCode: 100, errors: `W: something\n${error}\n` };
    if (program === "apt-get") await Bun.write(join(cwd, "opencv-doc_1_all.deb"), "deb");
    if (program === "dpkg-deb") {
      const data = join(cwd, rest.at(-1) ?? "", samples);
      await mkdir(data, { recursive: true });
      if (file) await Bun.write(join(data, file[0]), file[1]);
    }
    return { exitCode: 0, errors: "" };
  };
const noPrograms: RunProcess = async () => null;

type Answers = Readonly<Record<string, () => Response | Promise<Response>>>;
const find = (directory: TempDir, answers: Answers, ports: Partial<ClipPorts> = {}): Promise<ClipResult> =>
  findClip(
    { cacheDir: directory.path, places },
    {
      clock: virtualClock(),
      fetch: async (url) => answers[new URL(url).host]?.() ?? Promise.reject(new Error("connection refused")),
      run: noPrograms,
      ...ports,
    },
  );

describe("the default clip", () => {
  test("is the configured file, and nothing else is tried", async () => {
    await using directory = await tempDir();
    const path = join(directory.path, "own.avi");
    await Bun.write(path, avi());
    const ports: ClipPorts = { clock: virtualClock(), fetch: () => Promise.reject(new Error("not asked for")), run: noPrograms };
    expect(await findClip({ path }, ports)).toEqual({ path });
    const other = join(directory.path, "none.avi");
    expect(await findClip({ path: other }, ports)).toEqual({ missing: `${other} is not a clip (AVI or MP4)` });
  });

  test("is taken from the cache without asking anyone", async () => {
    await using directory = await tempDir();
    await Bun.write(
      join(directory.path, "car-detection.mp4"),
      new Uint8Array(200_000).fill(1).map((_, at) => (at < 12 ? (Buffer.from("\0\0\0\x18ftypmp42")[at] ?? 0) : 1)),
    );
    expect(await find(directory, {})).toEqual({ path: join(directory.path, "car-detection.mp4") });
  });

  test("is downloaded with progress, and only the whole file stays", async () => {
    await using directory = await tempDir();
    const progress: [number, number | null][] = [];
    const answers = { "first.example": () => new Response(avi(), { headers: { "content-length": "200000" } }) };
    const result = await find(directory, answers, { progress: (received, total) => void progress.push([received, total]) });
    expect(result).toEqual({ path: join(directory.path, "vtest.avi") });
    expect(new Uint8Array(await readFile(join(directory.path, "vtest.avi")))).toEqual(avi());
    expect(progress.at(-1)).toEqual([200_000, 200_000]);
    expect(await readdir(directory.path)).toEqual(["vtest.avi"]);
  });

  const refusals: [string, () => Response, string][] = [
    ["a page instead of a clip", () => new Response("<html>".repeat(40_000)), "first.example: what came is not a clip"],
    ["a stub", () => new Response(avi(50_000)), "first.example: what came is not a clip"],
    ["a failure", () => new Response("no", { status: 503 }), "first.example: the server answered 503"],
    [
      "too much",
      () => new Response(avi(), { headers: { "content-length": "99999999" } }),
      "first.example: it has 99999999 bytes, at most 67108864 are taken",
    ],
  ];
  test.each(refusals)("is not %s", async (_, answer, reason) => {
    await using directory = await tempDir();
    const result = await find(directory, { "first.example": answer });
    expect(result).toEqual({
      missing: `${reason}; second.example: connection refused; package opencv-doc: this machine has no apt-get`,
    });
    expect(await readdir(directory.path)).toEqual([]);
  });

  test("comes from the second place when the first is away", async () => {
    await using directory = await tempDir();
    expect(await find(directory, { "second.example": () => new Response(avi()) })).toEqual({
      path: join(directory.path, "car-detection.mp4"),
    });
  });

  test("a place without an answer is given up after 5 s, a silent one after 10 s", async () => {
    await using directory = await tempDir();
    const clock = virtualClock();
    const silent = () => new Response(new ReadableStream({ start: (controller) => controller.enqueue(avi().subarray(0, 1000)) }));
    const answers: Answers = { "first.example": () => new Promise(() => {}), "second.example": silent };
    let result: ClipResult | null = null;
    void find(directory, answers, { clock }).then((found) => {
      result = found;
    });
    await within(20_000, "the first request", () => clock.timers() > 0);
    await clock.advance(5000);
    await within(20_000, "the wait for bytes", async () => {
      const atMs = clock.nextAtMs();
      return atMs !== null && atMs - clock.monotonicMs() > 9000;
    });
    // The last bytes may still be on their way to the disk, and the wait for more begins after that.
    const ended = await within<ClipResult>(2000, "the end", async () => {
      await clock.advance(10_000);
      return result;
    });
    expect(ended).toEqual({
      missing:
        "first.example: no answer within 5000 ms; second.example: no byte within 10000 ms; package opencv-doc: this machine has no apt-get",
    });
  });

  test.each<[string, [string, Uint8Array]]>([
    ["as it is", ["vtest.avi", avi()]],
    ["compressed", ["vtest.avi.gz", gzipSync(avi())]],
  ])("is taken out of the Debian package, %s", async (_, file) => {
    await using directory = await tempDir();
    expect(await find(directory, {}, { run: debian(file) })).toEqual({ path: join(directory.path, "vtest.avi") });
    expect(new Uint8Array(await readFile(join(directory.path, "vtest.avi")))).toEqual(avi());
  });

  test.each<[string, RunProcess, string]>([
    [
      "an empty package list",
      debian(null, "E: Unable to locate package opencv-doc"),
      "apt-get ended with 100: E: Unable to locate package opencv-doc",
    ],
    [
      "a program at its time limit",
      async () => ({ exitCode: -1, errors: "" }),
      "apt-get was ended before it was done, at the latest after 60000 ms",
    ],
    ["a package without the clip", debian(null), "the package does not hold vtest.avi"],
  ])("says why after %s", async (_, run, reason) => {
    await using directory = await tempDir();
    const result = await find(directory, {}, { run });
    expect(result).toEqual({
      missing: `first.example: connection refused; second.example: connection refused; package opencv-doc: ${reason}`,
    });
  });

  test("says so when the cache cannot be written", async () => {
    await using directory = await tempDir();
    await Bun.write(join(directory.path, "file"), "x");
    const result = await findClip(
      { cacheDir: join(directory.path, "file", "media"), places },
      { clock: virtualClock(), fetch: () => Promise.reject(new Error("not asked for")), run: noPrograms },
    );
    expect("missing" in result && result.missing).toContain("ENOTDIR");
  });
});

test("a file that is not there is no clip", async () => {
  expect(await isClip("/nowhere/at/all.avi")).toBe(false);
});

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultDownloadLimits, download, type Fetch } from "../../../runtime/download.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "vedette-download-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const answering =
  (body: ConstructorParameters<typeof Response>[0], init?: ResponseInit): Fetch =>
  async () =>
    new Response(body, init);

/** A body that gives these chunks, and then nothing more. */
const hanging = (...chunks: string[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
    },
  });

const from = (fetch: Fetch, limits = defaultDownloadLimits, clock = virtualClock()) => {
  const seen: (readonly [number, number | null])[] = [];
  const path = join(folder, "model.onnx");
  const done = download("https://example.test/model.onnx", path, { fetch, clock }, (...step) => void seen.push(step), limits);
  return { path, clock, seen, done };
};
/** What the download rejects with as time goes by. */
const failureOf = async (started: ReturnType<typeof from>): Promise<string> => {
  const failure = started.done.then(
    () => "it did not fail",
    (thrown: Error) => thrown.message,
  );
  let over = false;
  void failure.finally(() => {
    over = true;
  });
  // Files are opened and written in real time, so the virtual clock is moved until it bites.
  while (!over) {
    await new Promise((resolve) => setImmediate(resolve));
    await started.clock.advance(4_000);
  }
  return failure;
};

test("a whole file is there under its name, and nothing beside it", async () => {
  const { path, done, seen } = from(answering("0123456789", { headers: { "content-length": "10" } }));
  await done;
  expect(await readFile(path, "utf8")).toBe("0123456789");
  expect(await readdir(folder)).toEqual(["model.onnx"]);
  expect(seen.at(-1)).toEqual([10, 10]);
});

describe("a download that fails leaves nothing behind and says why", () => {
  test.each<[string, Fetch, RegExp]>([
    [
      "not found",
      answering("", { status: 404 }),
      /^https:\/\/example\.test\/model\.onnx was not downloaded: the server answered 404$/,
    ],
    ["no network", () => Promise.reject(new Error("getaddrinfo ENOTFOUND")), /not downloaded: getaddrinfo ENOTFOUND/],
    ["cut off", answering(new Blob(["01234"]).stream(), { headers: { "content-length": "10" } }), /it ended after 5 of 10 bytes/],
    ["said to be too large", answering("x", { headers: { "content-length": "999999999999" } }), /at most 134217728 are taken/],
  ])("%s", async (_name, fetch, expected) => {
    await expect(from(fetch).done).rejects.toThrow(expected);
    expect(await readdir(folder)).toEqual([]);
  });

  test("larger than allowed without saying so", async () => {
    const limits = { ...defaultDownloadLimits, bytesMax: 4 };
    await expect(from(answering(new Blob(["01234"]).stream()), limits).done).rejects.toThrow(/more than 4 bytes/);
    expect(await readdir(folder)).toEqual([]);
  });

  test("no answer", async () => {
    const started = from(() => new Promise<Response>(() => {}));
    expect(await failureOf(started)).toContain("no answer within 5000 ms");
  });

  test("no byte for too long", async () => {
    const started = from(answering(hanging("0123")));
    expect(await failureOf(started)).toContain("no byte within 10000 ms");
    expect(await readdir(folder)).toEqual([]);
  });
});

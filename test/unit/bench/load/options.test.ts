import { expect, test } from "bun:test";
import { parseLoad } from "../../../../bench/load/options.ts";
import { nextCount } from "../../../../bench/load/saturate.ts";

test("without options it is the promised load", () => {
  expect(parseLoad([])).toMatchObject({
    cameras: 50,
    fps: 2,
    durationS: 600,
    source: "simulated",
    bus: "embedded",
    llm: "rules",
    clients: 100,
  });
});

test.each([
  ["a source that is none", ["--source", "usb"], "--source takes simulated or clip or rtsp"],
  ["no cameras", ["--cameras", "0"], "--cameras takes a whole number from 1 to 10000"],
  ["half a camera", ["--cameras", "1.5"], "--cameras takes a whole number"],
  ["a model that is none", ["--llm", "gpt"], "--llm takes rules or sim:LATENCY"],
  ["roles apart on the embedded log", ["--roles", "split"], "--roles split needs --bus kafka"],
  ["an expectation that is none", ["--expect", "fast"], "--expect takes NAME<LIMIT"],
  ["a stream without key frames", ["--source", "rtsp", "--stream", "768x576@10"], "--stream takes even sides"],
  ["a stream of odd sides", ["--source", "rtsp", "--stream", "641x360@5/0.6s"], "--stream takes even sides"],
  ["a stream faster than any camera", ["--source", "rtsp", "--stream", "640x360@90/1s"], "--stream takes even sides"],
  ["a stream for a source that sends none", ["--stream", "768x576@10/1s"], "--stream needs --source rtsp"],
])("%s is refused with one line", (_says, words, expected) => {
  expect(() => parseLoad(words)).toThrow(expected);
});

test.each([
  ["as promised when nothing is said", [], { width: 640, height: 360, fps: 5, gop: 3 }],
  ["the harder case", ["--stream", "768x576@10/1s"], { width: 768, height: 576, fps: 10, gop: 10 }],
  ["a key frame each picture, at least", ["--stream", "640x360@5/0.01s"], { width: 640, height: 360, fps: 5, gop: 1 }],
])("the stream: %s", (_says, words, stream) => {
  expect(parseLoad(["--source", "rtsp", ...words])?.stream).toEqual(stream);
});

/** What a search tries when so many cameras hold and more do not. */
const tried = (first: number, knee: number): number[] => {
  const counts: number[] = [];
  let [held, failed]: [number, number | null] = [0, null];
  for (let next = nextCount(held, failed, first); next !== null; next = nextCount(held, failed, first)) {
    counts.push(next);
    if (next <= knee) held = next;
    else failed = next;
  }
  return counts;
};

test.each([
  ["doubles until it fails, then halves the interval", 50, 130, [50, 100, 200, 141, 119, 130, 135]],
  ["goes down from a count that does not hold", 100, 20, [100, 50, 25, 12, 17, 21, 19, 20]],
  ["not even one camera holds", 2, 0, [2, 1]],
  ["everything holds", 5_000, 20_000, [5_000, 10_000]],
])("the search %s", (_says, first, knee, expected) => {
  expect(tried(first, knee)).toEqual(expected);
});

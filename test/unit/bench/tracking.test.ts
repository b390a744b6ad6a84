import { describe, expect, test } from "bun:test";
import { runBench } from "../../../bench/bench.ts";
import { leastEffort } from "../../../bench/harness.ts";
import { type Present, qualityMeter } from "../../../bench/tracking/quality.ts";
import { tracking } from "../../../bench/tracking.ts";

test("the bench runs, and the tracker keeps its ids better than overlap alone does", async () => {
  const { results } = await runBench(tracking(), { effort: leastEffort, quick: true, only: "", print() {} });
  expect(results).toHaveLength(11);
  const judged = results.filter(({ unit }) => unit === "%");
  expect(judged.map(({ ratio = 0 }) => ratio > 1)).toEqual([true, true, true]);
  for (const { median } of results) expect(median).toBeGreaterThan(0);
}, 30_000);

describe("quality", () => {
  const at = (id: number, x: number): Present => ({ id, bbox: [x, 0, x + 10, 10] });
  /** Two objects, 100 apart, through four frames; `tracks` says what the tracker tells in each. */
  const judge = (tracks: (frame: number) => readonly Present[]) => {
    const meter = qualityMeter();
    for (let frame = 0; frame < 4; frame++) meter.frame([at(1, 0), at(2, 100)], tracks(frame));
    return meter.quality();
  };

  test.each([
    ["who tells all is without fault", () => [at(7, 0), at(8, 100)], { mota: 1, idf1: 1, switches: 0, missed: 0, false: 0 }],
    ["who tells nothing is worth nothing", () => [], { mota: 0, idf1: 0, switches: 0, missed: 8, false: 0 }],
    ["one object unseen", () => [at(7, 0)], { mota: 0.5, idf1: 8 / 12, switches: 0, missed: 4, false: 0 }],
    [
      "a track of nothing",
      () => [at(7, 0), at(8, 100), at(9, 300)],
      { mota: 0.5, idf1: 16 / 20, switches: 0, missed: 0, false: 4 },
    ],
    [
      "two tracks that change places halfway",
      (frame: number) => (frame < 2 ? [at(7, 0), at(8, 100)] : [at(8, 0), at(7, 100)]),
      { mota: 1 - 2 / 8, idf1: 8 / 16, switches: 2, missed: 0, false: 0 },
    ],
    [
      "a box that is half off overlaps by a third",
      () => [at(7, 5), at(8, 100)],
      { mota: 1 - 8 / 8, idf1: 8 / 16, switches: 0, missed: 4, false: 4 },
    ],
  ])("%s", (_says, tracks, expected) => {
    expect(judge(tracks)).toEqual({ ...expected, present: 8 });
  });
});

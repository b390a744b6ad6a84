import { expect, test } from "bun:test";
import { growth, histogramMs, parseMetrics, sumBy, sumOf } from "../../../../bench/load/metrics.ts";

const text = (late: number, lag: number) => `# HELP dropped_total Messages
# TYPE dropped_total counter
dropped_total{actor="camera",type="frame",reason="late"} ${late}
dropped_total{actor="detector",type="frame.captured",reason="late"} 1
event_loop_lag_seconds_bucket{le="0.001"} ${lag}
event_loop_lag_seconds_bucket{le="0.01"} ${lag + 10}
event_loop_lag_seconds_bucket{le="+Inf"} ${lag + 10}
event_loop_lag_seconds_sum ${lag / 1000}
event_loop_lag_seconds_count ${lag + 10}
`;

test("counters are summed by labels, and what came between two readings is told", () => {
  const [before, after] = [parseMetrics(text(2, 0)), parseMetrics(text(7, 90))];
  expect([...sumBy(after, "dropped_total", "reason")]).toEqual([["late", 8]]);
  expect([...growth(sumBy(before, "dropped_total", "actor"), sumBy(after, "dropped_total", "actor"))]).toEqual([["camera", 5]]);
  expect(sumOf(after, "event_loop_lag_seconds_count")).toBe(100);
  expect(histogramMs(before, after, "event_loop_lag_seconds")).toMatchObject({ samples: 90, median: 1, max: 1, mean: 1 });
});

test("what is above the last bound of a histogram counts as that bound, so that a report can be written", () => {
  const series = parseMetrics(`event_loop_lag_seconds_bucket{le="1"} 3
event_loop_lag_seconds_bucket{le="+Inf"} 5
event_loop_lag_seconds_sum 9
`);
  expect(histogramMs([], series, "event_loop_lag_seconds")).toMatchObject({ samples: 5, median: 1_000, max: 1_000 });
});

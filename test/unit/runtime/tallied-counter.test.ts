import { expect, test } from "bun:test";
import { Registry } from "prom-client";
import { createTalliedCounter } from "../../../runtime/tallied-counter.ts";

const counterIn = (registry: Registry) =>
  createTalliedCounter({ name: "seen_total", help: "Seen", labelNames: ["camera_id", "class_name"], registers: [registry] });

const linesOf = async (registry: Registry): Promise<string[]> =>
  (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));

test("what was counted is read, under its own labels, whatever their order", async () => {
  const registry = new Registry();
  const counter = counterIn(registry);
  counter.inc({ camera_id: "1", class_name: "car" });
  counter.inc({ class_name: "car", camera_id: "1" }, 2);
  counter.inc({ camera_id: "1", class_name: "bus" });
  counter.inc({ camera_id: "2", class_name: "car" });
  expect(await linesOf(registry)).toEqual([
    'seen_total{camera_id="1",class_name="car"} 3',
    'seen_total{camera_id="1",class_name="bus"} 1',
    'seen_total{camera_id="2",class_name="car"} 1',
  ]);
});

test("goes on after it was read, and a second reading counts nothing twice", async () => {
  const registry = new Registry();
  const counter = counterIn(registry);
  counter.inc({ camera_id: "1", class_name: "car" });
  await linesOf(registry);
  expect(await linesOf(registry)).toEqual(['seen_total{camera_id="1",class_name="car"} 1']);
  counter.inc({ camera_id: "1", class_name: "car" }, 4);
  expect((await counter.get()).values).toEqual([{ value: 5, labels: { camera_id: "1", class_name: "car" } }]);
});

test("a count of nothing shows that the thing is there", async () => {
  const registry = new Registry();
  counterIn(registry).inc({ camera_id: "1", class_name: "car" }, 0);
  expect(await linesOf(registry)).toEqual(['seen_total{camera_id="1",class_name="car"} 0']);
});

test("labels that are changed by their owner afterwards stay as they were counted", async () => {
  const registry = new Registry();
  const labels = { camera_id: "1", class_name: "car" };
  counterIn(registry).inc(labels);
  labels.class_name = "bus";
  expect(await linesOf(registry)).toEqual(['seen_total{camera_id="1",class_name="car"} 1']);
});

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("cannot be counted up by %p", (count) => {
  expect(() => counterIn(new Registry()).inc({ camera_id: "1", class_name: "car" }, count)).toThrow("cannot be counted up by");
});

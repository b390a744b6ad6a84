import { expect, test } from "bun:test";
import { asFault, isOfCoordinator } from "../../../../runtime/bus-kafka/faults.ts";
import { createJoining } from "../../../../runtime/bus-kafka/joining.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

const what = "group g of t";
const thrown = (type: string) => Object.assign(new Error(type), { type, retriable: true });
const loading = asFault(thrown("GROUP_LOAD_IN_PROGRESS"), what);
const gone = asFault(new Error("Connection error: refused"), what);

test.each([
  ["a group that is being loaded", thrown("GROUP_LOAD_IN_PROGRESS"), true],
  ["a coordinator that is being chosen", thrown("GROUP_COORDINATOR_NOT_AVAILABLE"), true],
  ["a coordinator that has moved", thrown("NOT_COORDINATOR_FOR_GROUP"), true],
  ["one behind kafkajs's own tries", Object.assign(new Error("x"), { cause: thrown("GROUP_LOAD_IN_PROGRESS") }), true],
  ["no broker that names one", Object.assign(new Error("x"), { name: "KafkaJSGroupCoordinatorNotFound" }), true],
  ["a connection that is refused", new Error("refused"), false],
  ["a partition without a leader", thrown("LEADER_NOT_AVAILABLE"), false],
])("%s", (_, error, isCoordinator) => {
  const fault = asFault(error, what);
  expect(fault.code).toBe("unavailable");
  expect(isOfCoordinator(fault)).toBe(isCoordinator);
});

test("a coordinator that loads is asked again soon, and is said once when it lasts", async () => {
  const clock = virtualClock();
  const joining = createJoining(what, clock);
  expect(joining.trouble()).toBe("group g of t is being joined");
  const waits: number[] = [];
  const saidAtMs: number[] = [];
  while (clock.monotonicMs() < 60_000) {
    const { waitMs, isLong } = joining.failed(loading);
    waits.push(waitMs);
    if (isLong) saidAtMs.push(clock.monotonicMs());
    await clock.advance(waitMs);
  }
  expect(waits.slice(0, 6)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  expect(saidAtMs).toHaveLength(1);
  expect(saidAtMs[0]).toBeGreaterThanOrEqual(30_000);
  expect(saidAtMs[0]).toBeLessThan(31_100);
  expect(joining.trouble()).toContain("GROUP_LOAD_IN_PROGRESS");
  joining.joined();
  expect(joining.trouble()).toBeNull();
});

test("a member that has joined once is troubled only by what lasts, and what failed before does not count", async () => {
  const clock = virtualClock();
  const joining = createJoining(what, clock);
  joining.joined();
  joining.failed(loading);
  await clock.advance(29_000);
  expect(joining.trouble()).toBeNull();
  await clock.advance(1_000);
  expect(joining.trouble()).toContain("GROUP_LOAD_IN_PROGRESS");
  joining.failed(gone); // an outage, which the bus tells of
  expect(joining.trouble()).toBeNull();
  joining.joined();
  await clock.advance(60_000);
  expect(joining.failed(loading)).toEqual({ waitMs: 100, isLong: false });
  expect(joining.trouble()).toBeNull();
});

test("without a connection the tries become rare", () => {
  const joining = createJoining(what, virtualClock());
  const waits = Array.from({ length: 8 }, () => joining.failed(gone).waitMs);
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

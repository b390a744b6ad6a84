import { expect, spyOn, test } from "bun:test";
import { createRequire } from "node:module";
import { Kafka } from "../../../../runtime/bus-kafka/kafkajs.ts";

/** Fails when a version of kafkajs keeps the mended file elsewhere. */
const RequestQueue = createRequire(import.meta.url)("kafkajs/src/network/requestQueue/index.js");

const queue = () =>
  new RequestQueue({
    maxInFlightRequests: 1,
    requestTimeout: 1_000,
    clientId: "test",
    broker: "none:1",
    logger: { debug() {}, warn() {} },
  });

/** The timers that `run` arms; none of them fires. */
const timersOf = (run: () => void): number => {
  const timers = spyOn(globalThis, "setTimeout").mockReturnValue(0 as never);
  try {
    run();
    return timers.mock.calls.length;
  } finally {
    timers.mockRestore();
  }
};

test("kafkajs is there", () => expect(typeof Kafka).toBe("function"));

test("an idle request queue arms no timer", () => {
  expect(timersOf(() => queue().checkPendingRequests())).toBe(0);
});

test("a throttled queue is looked at again", () => {
  const throttled = queue();
  throttled.maybeThrottle(50);
  expect(timersOf(() => throttled.checkPendingRequests())).toBe(1);
});

test("a queue with requests that wait is looked at again", () => {
  const busy = queue();
  const push = (correlationId: number) => busy.push({ entry: { correlationId }, expectResponse: true, sendRequest() {} });
  expect(timersOf(() => push(1))).toBe(0);
  expect(timersOf(() => push(2))).toBe(1);
});

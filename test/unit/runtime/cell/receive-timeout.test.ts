import { expect, test } from "bun:test";
import { armReceiveTimeout } from "../../../../runtime/cell/receive-timeout.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

/** Listens from 0 ms on, for 100 ms of silence. */
const listening = () => {
  const clock = virtualClock();
  const timeouts: number[] = [];
  let lastHeardMs = 0;
  let isOver = false;
  armReceiveTimeout(clock, {
    afterMs: 100,
    lastHeardMs: () => lastHeardMs,
    isOver: () => isOver,
    timedOut: () => {
      lastHeardMs = clock.monotonicMs();
      timeouts.push(lastHeardMs);
    },
  });
  return {
    clock,
    timeouts,
    hear: () => {
      lastHeardMs = clock.monotonicMs();
    },
    over: () => {
      isOver = true;
    },
  };
};

test("silence is told of when it has lasted, and again each time that it has lasted so long", async () => {
  const { clock, timeouts } = listening();
  await clock.advance(99);
  expect(timeouts).toEqual([]);
  await clock.advance(301);
  expect(timeouts).toEqual([100, 200, 300, 400]);
});

test("what is heard begins the silence anew, without a timer for each", async () => {
  const { clock, timeouts, hear } = listening();
  for (let count = 0; count < 9; count++) {
    await clock.advance(30);
    hear();
    expect(clock.timers()).toBe(1);
  }
  expect(timeouts).toEqual([]);
  await clock.advance(100);
  expect(timeouts).toEqual([370]);
});

test("nothing is told of what is over, and no timer is left", async () => {
  const { clock, timeouts, over } = listening();
  await clock.advance(50);
  over();
  await clock.advance(1_000);
  expect(timeouts).toEqual([]);
  expect(clock.timers()).toBe(0);
});

test("an actor that hears something at the very end of the silence is asked about again a little later", async () => {
  const clock = virtualClock();
  let looks = 0;
  armReceiveTimeout(clock, {
    afterMs: 100,
    lastHeardMs: () => 0,
    isOver: () => ++looks > 3,
    timedOut: () => {}, // it does not move on, as it must: still the clock is not asked for a timer of no time
  });
  await clock.advance(102);
  expect(looks).toBe(3);
});

import { expect, test } from "bun:test";
import { createTimers } from "../../../../runtime/cell/timers.ts";
import { type Envelope, noCauses } from "../../../../runtime/envelope.ts";
import { releaseAll } from "../../../../runtime/settlement.ts";
import { openCauses } from "../../../support/causes.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

const anEnvelope = (key: string): Envelope => ({
  type: "m",
  key,
  trace: "",
  bytes: new Uint8Array(),
  causes: noCauses,
  lease: null,
  enqueuedAtMs: 0,
});

const running = () => {
  const clock = virtualClock();
  const fired: Envelope[] = [];
  return { clock, fired, timers: createTimers(clock, (envelope) => fired.push(envelope)) };
};

test("a timer holds the causes of the turn that set it, and hands them on when it fires", async () => {
  const { clock, fired, timers } = running();
  const { causes, ends } = openCauses("t/0/0");
  timers.set("a", 100, anEnvelope("a"), causes);
  releaseAll(causes);
  expect([timers.holdCauses(), ends]).toEqual([true, {}]);
  await clock.advance(100);
  expect(fired).toEqual([{ ...anEnvelope("a"), causes }]);
  expect([timers.holdCauses(), ends]).toEqual([false, {}]);
  releaseAll(fired[0]?.causes ?? []);
  expect(ends).toEqual({ "t/0/0": null });
});

test("a timer that is taken back does not fire; its causes are the caller's, once", async () => {
  const { clock, fired, timers } = running();
  const { causes } = openCauses("t/0/0");
  timers.set("a", 100, anEnvelope("a"), causes);
  expect(timers.takeBack("b")).toEqual([]);
  expect(timers.takeBack("a")).toEqual(causes);
  expect(timers.takeBack("a")).toEqual([]);
  expect(clock.timers()).toBe(0);
  await clock.advance(1_000);
  expect(fired).toEqual([]);
});

test("what is abandoned is repeated, and none of it fires", async () => {
  const { clock, fired, timers } = running();
  const { causes, ends } = openCauses("t/0/0", "t/0/1");
  for (const cause of causes) timers.set(cause.key, 100, anEnvelope(""), [cause]);
  timers.set("free", 100, anEnvelope(""), []);
  releaseAll(causes);
  timers.abandon("its incarnation is over");
  const failure = { reason: "its incarnation is over", isOwn: false };
  expect(ends).toEqual({ "t/0/0": failure, "t/0/1": failure });
  await clock.advance(1_000);
  expect([fired, timers.holdCauses()]).toEqual([[], false]);
});

test("causes are held while any timer has one", () => {
  const { timers } = running();
  const { causes } = openCauses("t/0/0");
  expect(timers.holdCauses()).toBe(false);
  timers.set("free", 100, anEnvelope(""), []);
  expect(timers.holdCauses()).toBe(false);
  timers.set("held", 100, anEnvelope(""), causes);
  expect(timers.holdCauses()).toBe(true);
});

import { expect, test } from "bun:test";
import type { Tagged } from "../../../../protocols/message.ts";
import type { Appended, Outgoing } from "../../../../runtime/bus.ts";
import { Effects, hasEffects } from "../../../../runtime/cell/effects.ts";
import { type MoreAsked, nothingMore, type TimerChange } from "../../../../runtime/cell/outbox.ts";
import { type Envelope, noCauses } from "../../../../runtime/envelope.ts";
import { silentObserver } from "../../../../runtime/observer.ts";
import type { CellPorts } from "../../../../runtime/ports.ts";
import { type Cause, releaseAll } from "../../../../runtime/settlement.ts";
import { openCauses } from "../../../support/causes.ts";
import { settlePromises, virtualClock } from "../../../support/virtual-clock.ts";

const bytes = new Uint8Array([1]);
const aRecord = (id: string): Outgoing => ({ topic: "t", key: "", id, type: "m", trace: "", bytes });
const aFact = { key: "a", bytes, ttlMs: 1_000 };
const anEnvelope = (key: string): Envelope => ({
  type: "m",
  key,
  trace: "",
  bytes,
  causes: noCauses,
  lease: null,
  enqueuedAtMs: 0,
});
const aTimer = (key: string, delayMs = 100): TimerChange => ({ key, delayMs, envelope: anEnvelope(`${key} after ${delayMs}`) });
const aCancel = (key: string): TimerChange => ({ key, delayMs: 0, envelope: null });

/** The effects of one cell, over a bus and a store whose writes end when the test says so. */
const aCell = () => {
  const clock = virtualClock();
  const appends: PromiseWithResolvers<readonly Appended[]>[] = [];
  const puts: PromiseWithResolvers<void>[] = [];
  const work: { readonly end: PromiseWithResolvers<string>; readonly signal: AbortSignal }[] = [];
  const outcomes: { readonly text: string; readonly causes: readonly Cause[] }[] = [];
  let resumed = 0;
  const begun = <T>(all: PromiseWithResolvers<T>[]) => {
    const end = Promise.withResolvers<T>();
    all.push(end);
    return end.promise;
  };
  const ports = {
    clock,
    bus: { append: () => begun(appends) },
    store: { put: () => begun(puts) },
    observer: silentObserver,
  } as unknown as CellPorts; // all that effects make use of
  const effects = new Effects({
    path: "root/a",
    ports,
    takeOutcome: ({ key, causes }) => void outcomes.push({ text: key, causes }),
    takePipeOutcome: (message, causes, trace) => void outcomes.push({ text: `${message().type} ${trace}`, causes }),
    resume: () => void resumed++,
  });
  const pipe = {
    start: (signal: AbortSignal) => {
      const end = Promise.withResolvers<string>();
      work.push({ end, signal });
      return end.promise;
    },
    done: (value: unknown): Tagged => ({ type: `done ${value}` }),
    failed: (reason: unknown): Tagged => ({ type: `failed ${reason}` }),
  };
  const begin = (asked: Partial<MoreAsked>, causes: readonly Cause[] = noCauses) =>
    effects.begin({ ...nothingMore(), ...asked }, causes, "trace");
  return { clock, effects, begin, appends, puts, work, outcomes, pipe, resumed: () => resumed };
};

test("each record, fact, timer and pipe holds the causes of its turn until it is over", async () => {
  const { clock, begin, appends, puts, work, outcomes, pipe } = aCell();
  const { causes, ends } = openCauses("t/0/0");
  begin({ emits: [aRecord("1"), aRecord("2")], facts: [aFact], timers: [aTimer("k")], pipes: [pipe] }, causes);
  releaseAll(causes);
  appends[0]?.resolve([]);
  await settlePromises();
  appends[1]?.resolve([]);
  puts[0]?.resolve();
  await clock.advance(100);
  expect(ends).toEqual({});
  work[0]?.end.resolve("work");
  await settlePromises();
  expect(outcomes).toEqual([
    { text: "k after 100", causes },
    { text: "done work trace", causes },
  ]);
  releaseAll(causes);
  expect(ends).toEqual({});
  releaseAll(causes);
  expect(ends).toEqual({ "t/0/0": null });
});

test.each([
  ["the last of two settings of one key counts", [aTimer("k", 100), aTimer("k", 200)], ["k after 200"]],
  ["a timer that the same turn cancels is none", [aTimer("k"), aCancel("k")], []],
  ["a key that is cancelled may be set by the same turn", [aCancel("k"), aTimer("k")], ["k after 100"]],
  ["keys do not touch one another", [aTimer("k"), aTimer("l", 50), aCancel("m")], ["l after 50", "k after 100"]],
])("%s", async (_what, timers, fired) => {
  const { clock, begin, outcomes } = aCell();
  begin({ timers });
  await clock.advance(1_000);
  expect(outcomes.map(({ text }) => text)).toEqual(fired);
});

test("what a timer stood for is the turn's that sets it anew or cancels it", async () => {
  const { clock, effects, begin, outcomes } = aCell();
  const { causes, ends } = openCauses("t/0/0", "t/0/1", "t/0/2");
  for (const cause of causes) begin({ timers: [aTimer(cause.key)] }, [cause]);
  releaseAll(causes);
  const changes = { ...nothingMore(), timers: [aTimer("t/0/0"), aCancel("t/0/1"), aCancel("none")] };
  const inherited = effects.takeBack(changes);
  expect(inherited.map(({ key }) => key)).toEqual(["t/0/0", "t/0/1"]);
  releaseAll(inherited);
  expect(ends).toEqual({ "t/0/0": null, "t/0/1": null });
  await clock.advance(1_000);
  expect(outcomes.map(({ text }) => text)).toEqual(["t/0/2 after 100"]);
});

test("taking back where no timer was ever set takes nothing", () => {
  const { effects } = aCell();
  expect(effects.takeBack({ ...nothingMore(), timers: [aCancel("k")] })).toEqual([]);
});

test("an actor with too much on its way out is above high water, and hears when that has drained", async () => {
  const { effects, begin, appends, resumed } = aCell();
  expect(effects.isAboveHighWater()).toBe(false);
  begin({ emits: Array.from({ length: 2_048 }, (_, index) => aRecord(`${index}`)) });
  expect([effects.isAboveHighWater(), resumed()]).toEqual([true, 0]);
  for (let batch = 0; batch < 10; batch++) {
    appends[batch]?.resolve([]);
    await settlePromises();
  }
  expect(effects.isAboveHighWater()).toBe(false);
  expect(resumed()).toBeGreaterThan(0);
});

test("it is quiet while nothing runs, is on its way out or stands for a delivery", async () => {
  const { clock, effects, begin, appends, puts, work, pipe } = aCell();
  const { causes } = openCauses("t/0/0");
  const seen = () => [effects.isQuiet(), effects.running()];
  expect(seen()).toEqual([true, 0]);
  begin({ pipes: [pipe, pipe] });
  expect(seen()).toEqual([false, 2]);
  for (const { end } of work) end.reject("no");
  await settlePromises();
  expect(seen()).toEqual([true, 0]);
  begin({ facts: [aFact] });
  expect(seen()).toEqual([false, 0]);
  puts[0]?.resolve();
  await settlePromises();
  expect(seen()).toEqual([true, 0]);
  begin({ emits: [aRecord("1")] });
  expect(seen()).toEqual([false, 0]);
  appends[0]?.resolve([]);
  await settlePromises();
  begin({ timers: [aTimer("free")] });
  expect(seen()).toEqual([true, 0]);
  begin({ timers: [aTimer("held")] }, causes);
  expect(seen()).toEqual([false, 0]);
  await clock.advance(100);
  expect(seen()).toEqual([true, 0]);
});

test("it is flushed when records and facts have both left, and at once where there are none", async () => {
  const { effects, begin, appends, puts } = aCell();
  await effects.flushed();
  begin({ emits: [aRecord("1")], facts: [aFact] });
  let isFlushed = false;
  void effects.flushed().then(() => {
    isFlushed = true;
  });
  appends[0]?.resolve([]);
  await settlePromises();
  expect(isFlushed).toBe(false);
  puts[0]?.resolve();
  await settlePromises();
  expect(isFlushed).toBe(true);
});

test("timers and pipes of an incarnation that is over are nobody's; what is on its way out goes on", async () => {
  const { clock, effects, begin, appends, work, outcomes, pipe } = aCell();
  effects.abandon("nothing was begun");
  const { causes, ends } = openCauses("timer", "pipe", "record");
  const [timer, piped, record] = causes;
  begin({ timers: [aTimer("k")] }, timer ? [timer] : []);
  begin({ pipes: [pipe] }, piped ? [piped] : []);
  begin({ emits: [aRecord("1")] }, record ? [record] : []);
  releaseAll(causes);
  effects.abandon("its turn threw");
  expect(work[0]?.signal.reason).toEqual(new Error("its turn threw"));
  work[0]?.end.resolve("too late");
  appends[0]?.resolve([]);
  await clock.advance(1_000);
  expect(outcomes).toEqual([]);
  expect(ends).toEqual({
    timer: { reason: "its turn threw", isOwn: false },
    pipe: { reason: "its turn threw", isOwn: false },
    record: null,
  });
  begin({ pipes: [pipe] });
  expect(work[1]?.signal.aborted).toBe(false);
});

test("when the cell is over, what is not durable is let go and will be repeated", async () => {
  const { effects, begin } = aCell();
  effects.close();
  const { causes, ends } = openCauses("t/0/0");
  begin({ emits: [aRecord("1")] }, causes);
  releaseAll(causes);
  effects.close();
  expect(ends).toMatchObject({ "t/0/0": { isOwn: false } });
});

test.each<[string, Partial<MoreAsked>, boolean]>([
  ["nothing", {}, false],
  ["a record", { emits: [aRecord("1")] }, true],
  ["a fact", { facts: [aFact] }, true],
  ["a timer", { timers: [aTimer("k")] }, true],
  ["a pipe", { pipes: [aCell().pipe] }, true],
  ["answers, children, watches and its end, which leave nothing behind", { ends: true, children: [() => {}] }, false],
])("a turn that asked for %s", (_what, asked, expected) => {
  expect(hasEffects({ ...nothingMore(), ...asked })).toBe(expected);
});

import { expect, test } from "bun:test";
import { Fault } from "../../../runtime/errors.ts";
import { createMemoryStore } from "../../../runtime/store-memory.ts";
import { throughOutages } from "../../../runtime/store-outage.ts";
import { storeContract } from "../../support/store-contract.ts";
import { thrownBy } from "../../support/thrown.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

const build = () => {
  const clock = virtualClock();
  const behind = createMemoryStore({ clock, defer: (run) => queueMicrotask(run) });
  let lost = 0;
  const store = throughOutages(behind, { clock, dropped: (count) => (lost += count) });
  return { clock, behind, store, lost: () => lost };
};
const fact = (key: string, text = key, ttlMs = 60_000) => ({ key, bytes: new TextEncoder().encode(text), ttlMs });
const unavailable = () => new Fault("unavailable", "away");
const textOf = (bytes: Uint8Array | null) => (bytes === null ? null : new TextDecoder().decode(bytes));

storeContract("through outages, while there is none", async () => {
  const { clock, store } = build();
  return { store, age: (ms) => clock.advance(ms), dispose: store.close };
}, ["reopen", "away"]);

test("facts put while the store is away are read here, and follow when it is back, the last value of each key", async () => {
  const { clock, behind, store, lost } = build();
  await store.put([fact("a:1", "before")]);
  behind.away();
  await store.put([fact("a:1", "first"), fact("a:2"), fact("a:short", "x", 500)]);
  await store.put([fact("a:1", "second")]);
  await store.delete(["a:2"]);
  expect(textOf(await store.get("a:1"))).toBe("second");
  expect(await store.get("a:2")).toBeNull();
  expect(store.health()).toMatchObject({ status: "away", detail: expect.stringContaining("3 facts wait") });
  await clock.advance(5_000);
  behind.back();
  await clock.advance(1_000);
  expect((await behind.list("", 9)).map(({ key, bytes }) => `${key}=${textOf(bytes)}`)).toEqual(["a:1=second"]);
  expect(store.health().detail).not.toContain("wait");
  expect(lost()).toBe(0);
  expect(clock.timers()).toBe(0);
});

test("what only the store knows is refused while it is away", async () => {
  const { behind, store } = build();
  behind.away();
  expect(await thrownBy(store.get("a:1"))).toMatchObject({ code: "unavailable" });
  expect(await thrownBy(store.list("a:", 9))).toMatchObject({ code: "unavailable" });
});

test("beyond the limit those that waited longest are let go, counted", async () => {
  const { clock, behind, store, lost } = build();
  behind.away();
  for (let index = 0; index < 20_010; index++) await store.put([fact(`a:${index}`)]);
  expect(lost()).toBe(10);
  behind.back();
  await clock.advance(1_000);
  expect(await behind.get("a:9")).toBeNull();
  expect(textOf(await behind.get("a:10"))).toBe("a:10");
});

test("an earlier value that failed does not come after a later one that was stored", async () => {
  const { clock, behind, store } = build();
  let refuse = () => {};
  const refusing: typeof behind = { ...behind, put: () => new Promise((_, reject) => (refuse = () => reject(unavailable()))) };
  let first = true;
  const slow = throughOutages(
    { ...behind, put: (facts) => (first ? refusing.put(facts) : behind.put(facts)) },
    { clock, dropped() {} },
  );
  const early = slow.put([fact("a:1", "early")]);
  first = false;
  await slow.put([fact("a:1", "late")]);
  refuse();
  await early;
  await clock.advance(5_000);
  expect(textOf(await store.get("a:1"))).toBe("late");
});

test("a list has what waits, in order, and nothing beyond a full page of the store", async () => {
  const { behind, store } = build();
  await store.put([fact("a:2"), fact("a:4"), fact("a:6"), fact("a:8")]);
  behind.away();
  await store.put([fact("a:1"), fact("a:5"), fact("a:7"), fact("a:8", "later")]);
  await store.delete(["a:4"]);
  behind.back();
  const keys = async (limit: number, after = "") => (await store.list("a:", limit, after)).map(({ key }) => key);
  expect(await keys(99)).toEqual(["a:1", "a:2", "a:5", "a:6", "a:7", "a:8"]);
  const paged: string[] = [];
  for (let page = await keys(2); page.length > 0; page = await keys(2, paged.at(-1))) paged.push(...page);
  expect(paged).toEqual(["a:1", "a:2", "a:5", "a:6", "a:7", "a:8"]);
});

test("closing sends what waits when the store is there", async () => {
  const { clock, behind } = build();
  const kept: string[] = [];
  let isAway = true;
  const put: typeof behind.put = async (facts) => {
    if (isAway) throw unavailable();
    kept.push(...facts.map(({ key }) => key));
  };
  const store = throughOutages({ ...behind, put }, { clock, dropped() {} });
  await store.put([fact("a:1")]);
  isAway = false;
  await store.close();
  expect(kept).toEqual(["a:1"]);
});

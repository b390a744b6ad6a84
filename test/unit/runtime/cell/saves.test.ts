import { expect, test } from "bun:test";
import { createSaves } from "../../../../runtime/cell/saves.ts";
import { silentObserver } from "../../../../runtime/observer.ts";
import { releaseAll } from "../../../../runtime/settlement.ts";
import type { Fact, Store } from "../../../../runtime/store.ts";
import { openCauses } from "../../../support/causes.ts";
import { settlePromises, virtualClock } from "../../../support/virtual-clock.ts";

const facts: readonly Fact[] = [{ key: "a", bytes: new Uint8Array([1]), ttlMs: 1_000 }];

/** A store whose writes end when the test says so. */
const slowStore = () => {
  const clock = virtualClock();
  const puts: { readonly atMs: number; readonly facts: readonly Fact[]; readonly end: PromiseWithResolvers<void> }[] = [];
  const failures: string[] = [];
  const put = (written: readonly Fact[]) => {
    const end = Promise.withResolvers<void>();
    puts.push({ atMs: clock.monotonicMs(), facts: written, end });
    return end.promise;
  };
  const observer = {
    ...silentObserver,
    sendFailed: (topic: string, reason: string) => void failures.push(`${topic}: ${reason}`),
  };
  const saves = createSaves({ put } as unknown as Store, clock, observer); // it only writes
  return { clock, puts, failures, saves };
};

test("a fact holds the causes of its turn until it is durable", async () => {
  const { saves, puts } = slowStore();
  const { causes, ends } = openCauses("t/0/0", "t/0/1");
  saves.put(facts, causes);
  releaseAll(causes);
  await settlePromises();
  expect([puts.map((each) => each.facts), saves.pending(), ends]).toEqual([[facts], 1, {}]);
  puts[0]?.end.resolve();
  await settlePromises();
  expect([saves.pending(), ends]).toEqual([0, { "t/0/0": null, "t/0/1": null }]);
});

test("a write that fails is told of and tried again, after longer and longer pauses; at last its causes are given up", async () => {
  const { clock, saves, puts, failures } = slowStore();
  const { causes, ends } = openCauses("t/0/0");
  saves.put(facts, causes);
  releaseAll(causes);
  for (let attempt = 0; attempt < 20; attempt++) {
    puts[attempt]?.end.reject(new Error("it is away"));
    await clock.advance(10_000);
  }
  // The test lets ten seconds pass after each failure.
  const pausesMs = puts.slice(1).map(({ atMs }, index) => atMs - 10_000 * index);
  expect(pausesMs).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000, 5_000]);
  expect(failures).toEqual(Array.from({ length: 11 }, () => "store: it is away"));
  expect(ends).toEqual({ "t/0/0": { reason: "the store did not take a fact: it is away", isOwn: false } });
  expect(saves.pending()).toBe(0);
});

test("a write that works the second time settles its causes", async () => {
  const { clock, saves, puts } = slowStore();
  const { causes, ends } = openCauses("t/0/0");
  saves.put(facts, causes);
  releaseAll(causes);
  puts[0]?.end.reject(new Error("it is away"));
  await clock.advance(100);
  expect([saves.pending(), ends]).toEqual([1, {}]);
  puts[1]?.end.resolve();
  await settlePromises();
  expect([saves.pending(), ends]).toEqual([0, { "t/0/0": null }]);
});

test("it is flushed when the last of several writes has ended, well or not, and at once when none is under way", async () => {
  const { saves, puts } = slowStore();
  await saves.flushed();
  saves.put(facts, []);
  saves.put(facts, []);
  const flushed: string[] = [];
  for (const who of ["one", "other"]) void saves.flushed().then(() => flushed.push(who));
  puts[1]?.end.resolve();
  await settlePromises();
  expect([flushed, saves.pending()]).toEqual([[], 1]);
  puts[0]?.end.resolve();
  await settlePromises();
  expect(flushed).toEqual(["one", "other"]);
  saves.put(facts, []);
  puts[2]?.end.resolve();
  await saves.flushed();
  expect(flushed).toEqual(["one", "other"]);
});

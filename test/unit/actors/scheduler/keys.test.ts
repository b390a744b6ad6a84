import { describe, expect, test } from "bun:test";
import { type Cooldown, createKeyPool, type KeyPool, type KeyUse, type Strategy } from "../../../../actors/scheduler/keys.ts";

const adaptive: Cooldown = { adaptive: true, minMs: 10_000, maxMs: 120_000, fixedMs: 60_000 };
const everywhere = () => true;

const pool = (
  strategy: Strategy = "least_loaded",
  ids = ["a", "b", "c"],
  cooldown = adaptive,
  priorities: readonly number[] = [],
) =>
  createKeyPool(
    ids.map((id, index) => ({ id, group: "g", priority: priorities[index] ?? 1 })),
    strategy,
    cooldown,
  );
const taken = (keys: KeyPool, nowMs = 0): KeyUse => {
  const use = keys.take(nowMs, everywhere);
  if (!use) throw new Error("no key could be taken");
  return use;
};
const states = (keys: KeyPool, nowMs = 0) => keys.view(nowMs).map(({ state }) => state);
/** Calls one after another, all failing. */
const fail = (keys: KeyPool, times: number, nowMs = 0) => {
  for (let call = 0; call < times; call++) keys.release(taken(keys, nowMs), "failed", nowMs);
};

describe("which key is next", () => {
  test("E1.7: round robin goes round", () => {
    const keys = pool("round_robin");
    expect(Array.from({ length: 7 }, () => taken(keys).id).join("")).toBe("abcabca");
  });
  test("round robin passes over a key that cannot be used, and comes back to it", () => {
    const keys = pool("round_robin");
    keys.disable("g", "b", "test");
    expect(Array.from({ length: 3 }, () => taken(keys).id).join("")).toBe("aca");
    keys.enable("g", "b");
    expect(taken(keys).id).toBe("b");
  });
  test("E1.7: weighted gives priority 1 the most", () => {
    const keys = pool("weighted", ["a", "b", "c"], adaptive, [3, 1, 2]);
    const counts: Record<string, number> = {};
    for (let call = 0; call < 110; call++) {
      const use = taken(keys);
      counts[use.id] = (counts[use.id] ?? 0) + 1;
      keys.release(use, "succeeded", 0);
    }
    expect(counts).toEqual({ a: 20, b: 60, c: 30 });
  });
  test("least loaded looks at calls in flight, then at calls made", () => {
    const keys = pool();
    const [first, second] = [taken(keys), taken(keys)];
    expect([first.id, second.id]).toEqual(["a", "b"]);
    keys.release(first, "succeeded", 0);
    expect(taken(keys).id).toBe("c"); // none in flight, and no calls yet
    expect(taken(keys).id).toBe("a");
  });
  test("several calls may be in flight with one key", () => {
    const keys = pool("least_loaded", ["a"]);
    expect([taken(keys).id, taken(keys).id, taken(keys).id]).toEqual(["a", "a", "a"]);
    expect(keys.view(0)[0]).toMatchObject({ state: "in_use", inFlight: 3, calls: 3 });
  });
  test("keys of a group that is not open are left alone, and each group is asked once", () => {
    const keys = createKeyPool(
      ["a1", "a2", "b1"].map((id) => ({ id, group: id.slice(0, 1), priority: 1 })),
      "least_loaded",
      adaptive,
    );
    const askedFor: string[] = [];
    const use = keys.take(0, (group) => {
      askedFor.push(group);
      return group === "b";
    });
    expect([use?.id, askedFor]).toEqual(["b1", ["a", "b"]]);
  });
});

describe("a key that fails", () => {
  test("E1.9: one failure is no rest", () => {
    const keys = pool("least_loaded", ["a"]);
    fail(keys, 1);
    expect(states(keys)).toEqual(["available"]);
  });
  test("rests at the third failure, for longer the more of its calls failed", () => {
    const rested = (successes: number) => {
      const keys = pool("least_loaded", ["a"]);
      for (let call = 0; call < successes; call++) keys.release(taken(keys), "succeeded", 0);
      fail(keys, 3);
      return keys.view(0)[0]?.coolsForMs;
    };
    expect([rested(0), rested(7), rested(12)]).toEqual([43_000, 43_000, 32_000]);
    expect(rested(13)).toBe(0); // three of sixteen are below a fifth
  });
  test("rests the longest when all of many calls failed", () => {
    const keys = pool("least_loaded", ["a"], { ...adaptive, maxMs: 10_000 });
    const uses = Array.from({ length: 30 }, () => taken(keys));
    for (const use of uses) keys.release(use, "failed", 0);
    expect(keys.view(0)[0]?.coolsForMs).toBe(10_000);
  });
  test("rests for a fixed time when so configured", () => {
    const keys = pool("least_loaded", ["a"], { ...adaptive, adaptive: false });
    fail(keys, 3);
    expect(keys.view(0)[0]?.coolsForMs).toBe(60_000);
  });
  test("E1.9: failures of long ago do not count", () => {
    const keys = pool("least_loaded", ["a"]);
    fail(keys, 2, 0);
    fail(keys, 1, 61_000);
    expect(states(keys, 61_000)).toEqual(["available"]);
  });
  test("E1.9: neutral outcomes neither count nor rest", () => {
    const keys = pool("least_loaded", ["a"]);
    for (let call = 0; call < 50; call++) keys.release(taken(keys), "neutral", 0);
    expect(keys.view(0)[0]).toMatchObject({ state: "available", successRate: 1 });
  });
  test("calls that were under way when the rest began change nothing", () => {
    const keys = pool("least_loaded", ["a"]);
    const late = Array.from({ length: 4 }, () => taken(keys));
    fail(keys, 3);
    for (const use of late.slice(0, 2)) keys.release(use, "failed", 20_000);
    for (const use of late.slice(2)) keys.release(use, "succeeded", 20_000);
    expect(keys.view(20_000)[0]).toMatchObject({ state: "cooling", coolsForMs: 23_000 });
  });
});

describe("after its rest a key is tried with one call", () => {
  const rested = () => {
    const keys = pool("least_loaded", ["a"]);
    fail(keys, 3);
    return { keys, endMs: keys.hopeAtMs("g", 0) };
  };
  test("not before, and only one", () => {
    const { keys, endMs } = rested();
    expect(keys.take(endMs - 1, everywhere)).toBeNull();
    expect(keys.take(endMs, everywhere)).not.toBeNull();
    expect(keys.take(endMs, everywhere)).toBeNull();
  });
  test("which brings it back", () => {
    const { keys, endMs } = rested();
    expect(keys.release(taken(keys, endMs), "succeeded", endMs)).toBe("recovered");
    expect(keys.view(endMs)[0]).toMatchObject({ state: "available", successRate: 1 });
  });
  test("or sends it to rest again", () => {
    const { keys, endMs } = rested();
    expect(keys.release(taken(keys, endMs), "failed", endMs)).toBe("cooling");
    expect(keys.take(endMs, everywhere)).toBeNull();
  });
  test("or says nothing, and another is tried", () => {
    const { keys, endMs } = rested();
    keys.release(taken(keys, endMs), "neutral", endMs);
    expect(keys.take(endMs, everywhere)).not.toBeNull();
  });
});

describe("a key out of use", () => {
  test("E1.8: stays so when its call in flight ends", () => {
    const keys = pool("least_loaded", ["a"]);
    const use = taken(keys);
    keys.disable("g", "a", "HTTP 401");
    keys.release(use, "succeeded", 0);
    expect(keys.view(0)[0]).toMatchObject({ state: "disabled", disabledBecause: "HTTP 401", inFlight: 0 });
    expect(keys.take(0, everywhere)).toBeNull();
    expect(keys.hopeAtMs("g", 0)).toBe(Number.POSITIVE_INFINITY);
  });
  test("E1.8: comes back without the rest it had", () => {
    const keys = pool("least_loaded", ["a"]);
    fail(keys, 3);
    keys.disable("g", "a", "test");
    keys.enable("g", "a");
    expect(states(keys)).toEqual(["available"]);
  });
  test("is given back once, however often that is said", () => {
    const keys = pool("least_loaded", ["a"]);
    const use = taken(keys);
    keys.release(use, "succeeded", 0);
    keys.release(use, "failed", 0);
    expect(keys.view(0)[0]).toMatchObject({ inFlight: 0, successRate: 1 });
  });
});

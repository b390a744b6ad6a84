import { describe, expect, test } from "bun:test";
import type { Accounts } from "../../../../actors/scheduler/accounts.ts";
import type { QuotaGroup } from "../../../../actors/scheduler/group.ts";
import type { CallOutcome } from "../../../../actors/scheduler/outcome.ts";
import type { Store } from "../../../../runtime/store.ts";
import { createMemoryStore } from "../../../../runtime/store-memory.ts";
import { accountsOf, aQuotaGroup } from "../../../support/accounts.ts";
import { type VirtualClock, virtualClock } from "../../../support/virtual-clock.ts";

const answer: CallOutcome = { action: "answer", text: "{}", usage: { promptTokens: 90, completionTokens: 10 } };
const main = (overrides: Partial<QuotaGroup> = {}) => aQuotaGroup("main", { limits: { rps: 5, rpm: 60 }, ...overrides });

const sendAll = ({ quota }: Accounts, clock: VirtualClock): number => {
  for (let sent = 0; ; sent++) {
    const seat = quota.take(clock.monotonicMs(), null);
    if (!seat) return sent;
    quota.release(seat, answer, true, clock.monotonicMs());
  }
};
/** What a process leaves behind: all of it, or what it had saved when it was killed. */
const leave = async (accounts: Accounts, store: Store, clock: VirtualClock, isEnd: boolean) => {
  const stored = store.put([...accounts.sending(isEnd), ...accounts.booked()]);
  await clock.advance(10);
  await stored;
};
const begun = async (store: Store, clock: VirtualClock, groups = [main()]) => {
  const accounts = accountsOf(groups, clock);
  const loaded = accounts.load(store);
  await clock.advance(10);
  await loaded;
  return accounts;
};

describe("a restart", () => {
  test("E1.6: opens no second window: what the process before it sent still counts", async () => {
    const clock = virtualClock();
    const store = createMemoryStore({ clock });
    const first = await begun(store, clock);
    expect(sendAll(first, clock)).toBe(5);
    await leave(first, store, clock, true);
    const second = await begun(store, clock);
    expect(sendAll(second, clock)).toBe(0);
    await clock.advance(2_000);
    expect(sendAll(second, clock)).toBeGreaterThan(0);
  });
  test("after a kill counts what may have been sent since the last saving", async () => {
    const clock = virtualClock();
    const store = createMemoryStore({ clock });
    const first = await begun(store, clock);
    const seat = first.quota.take(clock.monotonicMs(), null);
    expect(seat).not.toBeNull();
    await leave(first, store, clock, false);
    const second = await begun(store, clock);
    expect(sendAll(second, clock)).toBe(0);
    expect(second.view().groups[0]?.used).toEqual({ rps: 5, rpm: 11 }); // of two seconds, whatever was sent in them
  });
  test("after a kill within the first second counts as well, however long nothing had been sent", async () => {
    const clock = virtualClock();
    const store = createMemoryStore({ clock });
    const first = await begun(store, clock);
    await leave(first, store, clock, true);
    await clock.advance(60_000);
    const killed = await begun(store, clock);
    expect(sendAll(killed, clock)).toBe(5);
    const third = await begun(store, clock);
    expect(sendAll(third, clock)).toBe(0);
  });
  test("of the actor alone changes nothing: the store is read once", async () => {
    const clock = virtualClock();
    const store = createMemoryStore({ clock });
    const accounts = await begun(store, clock);
    sendAll(accounts, clock);
    await leave(accounts, store, clock, true);
    const loaded = accounts.load(store);
    await clock.advance(10);
    await loaded;
    expect(accounts.view().groups[0]?.used).toEqual({ rps: 5, rpm: 5 });
  });
  test("remembers which form of answer a model takes", async () => {
    const clock = virtualClock();
    const store = createMemoryStore({ clock });
    const first = await begun(store, clock);
    const seat = first.quota.take(0, null);
    expect(seat?.format).toBe("json_schema");
    if (seat) first.quota.release(seat, { action: "retry-plain", reason: "HTTP 400" }, true, 0);
    await leave(first, store, clock, true);
    const second = await begun(store, clock);
    await clock.advance(2_000);
    expect(second.quota.take(clock.monotonicMs(), null)?.format).toBe("json_object");
  });
  test("remembers that a model takes no pictures, until someone enables a key of it", async () => {
    const clock = virtualClock();
    const store = createMemoryStore({ clock });
    const first = await begun(store, clock);
    const seat = first.quota.take(0, null);
    expect(seat?.pictures).toBe(true);
    if (seat) first.quota.release(seat, { action: "retry-unseen", reason: "HTTP 400" }, true, 0);
    await leave(first, store, clock, true);
    const second = await begun(store, clock);
    await clock.advance(2_000);
    const again = second.quota.take(clock.monotonicMs(), null);
    expect(again?.pictures).toBe(false);
    if (again) second.enable(again.group.name, again.keyId);
    expect(second.quota.take(clock.monotonicMs(), null)?.pictures).toBe(true);
  });
  test("keeps the ledger of the day", async () => {
    const clock = virtualClock();
    const store = createMemoryStore({ clock });
    const first = await begun(store, clock);
    const usage = { promptTokens: 900, completionTokens: 100 };
    first.ledger.enter({ group: "main", keyId: "k", cameraId: 1, price: undefined, usage, answered: true }, clock.nowMs());
    await leave(first, store, clock, true);
    expect((await begun(store, clock)).view().book.total).toMatchObject({ calls: 1, promptTokens: 900 });
  });
  test("over a store with something else in it begins afresh", async () => {
    const clock = virtualClock();
    const store = createMemoryStore({ clock });
    const garbage = new TextEncoder().encode('{"atMs": "yesterday"}');
    const put = store.put([{ key: "quota:test", bytes: garbage, ttlMs: 60_000 }]);
    await clock.advance(10);
    await put;
    expect(sendAll(await begun(store, clock), clock)).toBe(5);
  });
});

describe("a change of keys at run time", () => {
  const key = (id: string, secret: string) => ({ id, secret, priority: 1 });
  test("adds, removes and mends keys, and says so", () => {
    const clock = virtualClock();
    const accounts = accountsOf([main({ keys: [key("a", "sk-a"), key("b", "sk-b")] })], clock);
    accounts.disable("main", "b", "HTTP 401");
    const events = accounts.replace([main({ keys: [key("b", "sk-b2"), key("c", "sk-c")] })]);
    expect(events.map(({ keyId, what }) => `${keyId}: ${what}`)).toEqual(["b: key changed", "c: key added", "a: key removed"]);
    expect(accounts.view().groups[0]?.keys.map(({ id, state }) => `${id} ${state}`)).toEqual(["b available", "c available"]);
  });
  test("a key that is the same stays disabled", () => {
    const accounts = accountsOf([main({ keys: [key("a", "sk-a")] })], virtualClock());
    accounts.disable("main", "a", "HTTP 401");
    expect(accounts.replace([main({ keys: [key("a", "sk-a")] })])).toEqual([]);
    expect(accounts.view().groups[0]?.keys[0]?.state).toBe("disabled");
  });
  test("other limits hold at once, over what was sent before", () => {
    const clock = virtualClock();
    const accounts = accountsOf([main()], clock);
    sendAll(accounts, clock);
    accounts.replace([main({ limits: { rps: 7 } })]);
    expect(sendAll(accounts, clock)).toBe(2);
  });
  test("a call that is out when its group changes gives back its place all the same", () => {
    const accounts = accountsOf([main({ limits: { tps: 1_000 }, maxInFlight: 1 })], virtualClock());
    const seat = accounts.quota.take(0, null, 500);
    accounts.replace([main({ limits: { tps: 2_000 }, maxInFlight: 1 })]);
    if (seat) accounts.quota.release(seat, answer, true, 10);
    expect(accounts.view().groups[0]).toMatchObject({ inFlight: 0, used: { tps: 500 } });
    expect(accounts.quota.take(10, null, 500)).not.toBeNull();
  });
  test("the first key of all ends the time of rules alone", () => {
    const accounts = accountsOf([main({ keys: [] })], virtualClock());
    expect(accounts.hasKeys()).toBe(false);
    accounts.replace([main()]);
    expect(accounts.hasKeys()).toBe(true);
  });
});

test("the group asked on the side takes no other calls", () => {
  const accounts = accountsOf([main(), aQuotaGroup("aside")], virtualClock(), { shadow: { group: "aside", share: 0.1 } });
  const names = Array.from({ length: 5 }, () => accounts.quota.take(0, null)?.group.name);
  expect(new Set(names)).toEqual(new Set(["main"]));
  expect(accounts.shadow?.quota.take(0, null)?.group.name).toBe("aside");
  expect(accounts.view().groups.map(({ name }) => name)).toEqual(["main", "aside"]);
});

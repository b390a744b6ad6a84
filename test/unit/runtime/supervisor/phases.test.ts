/** The orderly end, phase by phase. */
import { expect, test } from "bun:test";
import { actor, addressOf } from "../../../../runtime/actor.ts";
import { createMemoryStore } from "../../../../runtime/store-memory.ts";
import { stage, supervisor } from "../../../../runtime/tree.ts";
import { aSystem } from "../../../support/system.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

type Say = { readonly type: "say"; readonly text: string };

test("sources end first; what they sent and what it led to is finished; sinks give back last", async () => {
  const seen: string[] = [];
  const waiting: (() => void)[] = [];
  const sink = actor<undefined, null, Say>({
    name: "sink",
    mailbox: { capacity: 8, overflow: "pause-source" },
    start: () => null,
    on: {
      say: (state, { text }) => {
        seen.push(`sink heard ${text}`);
        return state;
      },
    },
    release: () => void seen.push("sink released"),
  });
  const worker = actor<undefined, null, Say>({
    name: "worker",
    mailbox: { capacity: 8, overflow: "pause-source" },
    start: () => null,
    on: {
      say: (state, { text }, { pipe, tell }) => {
        if (text === "done") tell(addressOf<Say>("root/sink"), { type: "say", text });
        else
          pipe(
            () => new Promise<void>((resolve) => waiting.push(resolve)),
            () => ({ type: "say", text: "done" }),
            () => ({ type: "say", text: "failed" }),
          );
        return state;
      },
    },
    release: () => void seen.push("worker released"),
  });
  let deliver: (text: string) => boolean = () => false;
  const source = actor<undefined, null, Say>({
    name: "source",
    mailbox: { capacity: 8, overflow: "drop-newest" },
    isSource: true,
    start: (_args, ctx) => {
      deliver = (text) => ctx.deliver({ type: "say", text });
      return null;
    },
    on: {
      say: (state, message, { tell }) => {
        tell(addressOf<Say>("root/worker"), message);
        return state;
      },
    },
    release: () => void seen.push("source released"),
  });
  const it = await aSystem([
    stage(sink, { args: undefined }),
    stage(worker, { args: undefined, tells: [addressOf("root/sink")] }),
    stage(source, { args: undefined, tells: [addressOf("root/worker")] }),
  ]);
  expect(deliver("work")).toBe(true);
  await it.settle();
  const stopped = it.system.stop("as asked", 5_000);
  await it.clock.advance(100);
  expect(seen).toEqual(["source released"]);
  expect(deliver("too late")).toBe(false);
  for (const resolve of waiting) resolve();
  await it.clock.advance(1_000);
  await stopped;
  expect(seen).toEqual(["source released", "sink heard done", "worker released", "sink released"]);
  expect(it.phases).toEqual(["intake", "drain", "settle", "commit", "close"]);
});

test("work that does not end is left when the time is up", async () => {
  const stuck = actor<undefined, null, Say>({
    name: "stuck",
    mailbox: { capacity: 8, overflow: "pause-source" },
    start: () => null,
    on: {
      say: (state, _message, { pipe }) => {
        pipe(
          () => new Promise<void>(() => {}),
          () => ({ type: "say", text: "done" }),
          () => ({ type: "say", text: "failed" }),
        );
        return state;
      },
    },
  });
  const it = await aSystem([stage(stuck, { args: undefined })]);
  it.system.tell(addressOf<Say>("root/stuck"), { type: "say", text: "work" });
  await it.settle();
  const beganMs = it.clock.monotonicMs();
  let endedMs = 0;
  const stopped = it.system.stop("as asked", 5_000).then(() => {
    endedMs = it.clock.monotonicMs() - beganMs;
  });
  await it.clock.advance(20_000);
  await stopped;
  expect(endedMs).toBe(5_000);
});

test("an actor that does not give back in its time is said, and does not hold the end up", async () => {
  const holder = actor<undefined, null, Say>({
    name: "holder",
    mailbox: { capacity: 8, overflow: "pause-source" },
    start: () => null,
    on: { say: (state) => state },
    release: () => new Promise(() => {}),
  });
  const it = await aSystem([stage(holder, { args: undefined, shutdownMs: 300 })]);
  const stopped = it.system.stop("as asked", 5_000);
  await it.clock.advance(300);
  await stopped;
  expect(it.failures).toEqual(["root/holder release: not given back within 300 ms"]);
});

/** A stage whose message begins work; the test ends it. */
const working = (name: string, start: (text: string) => Promise<unknown>, mayFail = false) =>
  actor<undefined, null, Say>({
    name,
    mailbox: { capacity: 8, overflow: "pause-source" },
    start: () => null,
    on: {
      say: (state, { text }, { pipe, save }) => {
        if (mayFail && text === "fail") throw new Error("as asked");
        if (text === "save") save({ key: "fact", bytes: new Uint8Array(1), ttlMs: 1_000 });
        else if (text === "work")
          pipe(
            () => start(text),
            () => ({ type: "say", text: "done" }),
            () => ({ type: "say", text: "failed" }),
          );
        return state;
      },
    },
  });

test("draining waits for the pipes of every stage, settling for what they saved, and no longer", async () => {
  const pipe = Promise.withResolvers<void>();
  const put = Promise.withResolvers<void>();
  const store = { ...createMemoryStore({ clock: virtualClock() }), put: () => put.promise };
  const it = await aSystem(
    [
      stage(
        working("a", () => pipe.promise),
        { args: undefined },
      ),
    ],
    { store },
  );
  for (const text of ["work", "save"]) it.system.tell(addressOf<Say>("root/a"), { type: "say", text });
  await it.settle();
  const stopped = it.system.stop("as asked", 60_000);
  await it.clock.advance(1_000);
  expect(it.phases).toEqual(["intake"]);
  pipe.resolve();
  await it.clock.advance(100);
  expect(it.phases).toEqual(["intake", "drain"]);
  await it.clock.advance(1_000);
  expect(it.phases.length).toBe(2);
  put.resolve();
  await it.clock.advance(100);
  await stopped;
  expect(it.phases.length).toBe(5);
});

const slow = { restarts: 5, withinMs: 60_000, backoffMs: [30_000, 30_000] } as const;

test("a stage that waits for its restart has it at once, and does its work before the end", async () => {
  const begun: string[] = [];
  const failing = working("a", async (text) => void begun.push(text), true);
  const it = await aSystem([supervisor("slow", "one_for_one", slow, [stage(failing, { args: undefined })])]);
  for (const text of ["fail", "work", "work"]) it.system.tell(addressOf<Say>("root/slow/a"), { type: "say", text });
  await it.settle();
  const stopped = it.system.stop("as asked", 60_000);
  await it.clock.advance(100);
  await stopped;
  expect([it.phases.length, it.dropped, begun]).toEqual([5, {}, ["work", "work"]]);
  expect(it.decisions).toEqual(["restarted root/slow/a 1"]);
});

test("one that fails again meanwhile waits as it always does, and no longer than the end may take", async () => {
  const failing = working("a", async () => {}, true);
  const it = await aSystem([supervisor("slow", "one_for_one", slow, [stage(failing, { args: undefined })])]);
  for (const text of ["fail", "fail", "work"]) it.system.tell(addressOf<Say>("root/slow/a"), { type: "say", text });
  await it.settle();
  const stopped = it.system.stop("as asked", 20_000);
  await it.clock.advance(19_000);
  expect(it.phases).toEqual(["intake"]);
  await it.clock.advance(2_000);
  await stopped;
  expect([it.phases.length, it.dropped]).toEqual([5, { "root/slow/a say dead_letter": 1 }]);
  await it.clock.advance(60_000);
  expect([it.decisions, it.clock.timers()]).toEqual([["restarted root/slow/a 1"], 0]);
});

test("a source is not started again while all comes to its end, its siblings are", async () => {
  const starts: string[] = [];
  const part = (name: string, isSource: boolean) =>
    actor<undefined, null, Say>({
      name,
      mailbox: { capacity: 8, overflow: "drop-oldest" },
      isSource,
      start() {
        starts.push(name);
        return null;
      },
      on: {
        say() {
          throw new Error("as asked");
        },
      },
    });
  const children = [stage(part("reader", false), { args: undefined }), stage(part("camera", true), { args: undefined })];
  const it = await aSystem([supervisor("all", "one_for_all", slow, children)]);
  it.system.tell(addressOf<Say>("root/all/reader"), { type: "say", text: "fail" });
  await it.settle();
  const stopped = it.system.stop("as asked", 1_000);
  await it.clock.advance(2_000);
  await stopped;
  expect(starts).toEqual(["reader", "camera", "reader"]);
  expect([it.phases.length, it.failures.length, it.fatal]).toEqual([5, 1, []]);
});

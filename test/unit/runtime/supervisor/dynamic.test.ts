/** Children by key: started, replaced, restarted, ended for being idle, and ended with the system. */
import { expect, test } from "bun:test";
import { actor, addressOf, type Context } from "../../../../runtime/actor.ts";
import { dynamic, stage, supervisor } from "../../../../runtime/tree.ts";
import { aSystem, tolerant } from "../../../support/system.ts";

type Say = { readonly type: "say"; readonly text: string; readonly cameraId?: number };
const many = addressOf<Say>("root/many");
const say = (text: string, cameraId = 7): Say => ({ type: "say", text, cameraId });

/** Writes down its start, what it hears and its end; fails when told so, or as often at its start as `failing` says. */
const child = (
  name: string,
  seen: string[],
  failing = { starts: 0 },
  act: (text: string, ctx: Context<Say>) => void = () => {},
) =>
  actor<undefined, string, Say>({
    name,
    mailbox: { capacity: 8, overflow: "drop-newest" },
    start: () => {
      if (failing.starts-- > 0) throw new Error("it cannot start");
      seen.push(`${name} started`);
      return name;
    },
    on: {
      say: (state, { text }, ctx) => {
        act(text, ctx);
        if (text === "fail") throw new Error("as asked");
        seen.push(`${name} heard ${text}`);
        return state;
      },
    },
    release: () => void seen.push(`${name} released`),
  });
const onDemand = { entry: null, idleMs: 1_000 };

test("a child is started with its arguments, replaced by one with others, and stopped; what is not there is not stopped", async () => {
  const seen: string[] = [];
  const template = (key: string, args: string) => stage(child(`${key}-${args}`, seen), { args: undefined });
  await using it = await aSystem([dynamic("many", tolerant, template)]);
  it.system.stopChild(many, "7");
  it.system.startChild(many, "7", "one");
  it.system.startChild(many, "8", "one");
  it.system.startChild(many, "7", "two");
  await it.clock.advance(100);
  await it.settle();
  expect(it.system.stages()).toEqual(["root/many/8-one", "root/many/7-two"]);
  it.system.tell(many, say("x"));
  it.system.stopChild(many, "8");
  await it.clock.advance(100);
  expect(it.system.stages()).toEqual(["root/many/7-two"]);
  expect(seen.filter((line) => line.startsWith("7-"))).toEqual([
    "7-one started",
    "7-one released",
    "7-two started",
    "7-two heard x",
  ]);
  it.system.tell(many, say("x", 8));
  expect(it.dropped).toEqual({ "root/many say dead_letter": 1 });
});

test("a child more than there may be is not started, and that is told of", async () => {
  const template = (key: string) => stage(child(key, []), { args: undefined });
  await using it = await aSystem([dynamic("many", tolerant, template, { childrenMax: 2 })]);
  for (const key of ["1", "2", "3"]) it.system.startChild(many, key, undefined);
  it.system.startChild(many, "1", undefined); // one in the place of another is not one more
  await it.clock.advance(100);
  expect(it.system.stages().toSorted()).toEqual(["root/many/1", "root/many/2"]);
  expect(it.failures).toEqual(["root/many/3 change: root/many has 2 children already"]);
});

test("a child that fails is restarted alone, and what it did can be seen", async () => {
  const seen: string[] = [];
  const template = (key: string) => stage(child(key, seen), { args: undefined });
  await using it = await aSystem([dynamic("many", { ...tolerant, restarts: 5 }, template)]);
  for (const key of ["7", "8"]) it.system.startChild(many, key, undefined);
  await it.clock.advance(100);
  it.system.tell(many, say("fail"));
  await it.clock.advance(1_000);
  it.system.tell(many, say("x"));
  await it.clock.advance(100);
  expect(seen.slice(2)).toEqual(["7 released", "7 started", "7 heard x"]);
  expect(it.decisions).toEqual(["restarted root/many/7 1"]);
  const [snapshot] = it.system.snapshot().children;
  expect(snapshot).toMatchObject({ name: "many", state: "running", restarts: 0 });
  expect(snapshot?.children).toMatchObject([
    { name: "7", restarts: 1, restartsLeft: 4, lastError: "as asked" },
    { name: "8", restarts: 0, restartsLeft: 5 },
  ]);
  expect(snapshot?.children[1]).not.toHaveProperty("lastError");
});

test("a child whose first start fails is tried again", async () => {
  const seen: string[] = [];
  const failing = { starts: 2 };
  const template = (key: string) => stage(child(key, seen, failing), { args: undefined });
  await using it = await aSystem([dynamic("many", tolerant, template)]);
  it.system.startChild(many, "7", undefined);
  await it.clock.advance(5_000);
  expect(seen).toEqual(["7 started"]);
  expect(it.failures).toEqual(Array.from({ length: 2 }, () => "root/many/7 start: it cannot start"));
  expect(it.system.snapshot().children[0]?.children).toMatchObject([{ restarts: 1, lastError: "it cannot start" }]);
});

test("too many failures of one child are the business of the supervisor above", async () => {
  const template = (key: string) => stage(child(key, []), { args: undefined });
  const tolerance = { restarts: 1, withinMs: 60_000, backoffMs: [1, 1] } as const;
  await using it = await aSystem([dynamic("many", tolerance, template)]);
  it.system.startChild(many, "7", undefined);
  await it.clock.advance(100);
  for (let time = 0; time < 2; time++) {
    it.system.tell(many, say("fail"));
    await it.clock.advance(1_000);
  }
  expect(it.decisions[1]).toBe("escalated root/many/7: as asked");
  expect(it.failures.length).toBe(2);
});

test("messages go to the stage of the child that is named as its entry", async () => {
  const seen: string[] = [];
  const lane = (key: string) =>
    supervisor(`lane-${key}`, "rest_for_one", tolerant, [
      stage(child("first", seen), { args: undefined }),
      stage(child("entry", seen), { args: undefined }),
      stage(child("last", seen), { args: undefined }),
    ]);
  await using it = await aSystem([dynamic("many", tolerant, lane, { onDemand: { entry: "entry", idleMs: 1_000 } })]);
  it.system.tell(many, say("x"));
  await it.settle();
  expect(seen.slice(3)).toEqual(["entry heard x"]);
});

test("a child is ended when it has heard nothing for longer than it may, and holds nothing", async () => {
  const seen: string[] = [];
  let done: () => void = () => {};
  const act = (text: string, { pipe }: Context<Say>) => {
    if (text !== "work") return;
    pipe(
      () => new Promise<void>((resolve) => (done = resolve)),
      () => say("done"),
      () => say("failed"),
    );
  };
  const template = (key: string) => stage(child(key, seen, { starts: 0 }, act), { args: undefined });
  await using it = await aSystem([dynamic("many", tolerant, template, { onDemand })]);
  it.system.tell(many, say("x"));
  it.system.tell(many, say("work", 8));
  await it.clock.advance(900);
  it.system.tell(many, say("y"));
  await it.clock.advance(900);
  expect(it.system.stages().length).toBe(2);
  await it.clock.advance(1_000);
  expect(it.system.stages()).toEqual(["root/many/8"]);
  done();
  await it.clock.advance(2_000);
  expect(it.system.stages()).toEqual([]);
  expect(seen).toContain("8 heard done");
});

test("a template that cannot make a child for a key makes a dead letter, told of by key", async () => {
  const template = (key: string) => {
    if (key === "9") throw new Error("nine is none");
    return stage(child(key, []), { args: undefined });
  };
  await using it = await aSystem([dynamic("many", tolerant, template, { onDemand })]);
  it.system.tell(many, say("x", 9));
  await it.settle();
  expect([it.failures, it.dropped]).toEqual([["root/many/9 create: nine is none"], { "root/many say dead_letter": 1 }]);
});

test("at the end a restart that waits comes at once, all children give back what they hold, and nothing is started any more", async () => {
  const seen: string[] = [];
  const template = (key: string) => stage(child(key, seen), { args: undefined });
  const slow = { restarts: 5, withinMs: 60_000, backoffMs: [3_000, 3_000] } as const;
  const it = await aSystem([dynamic("many", slow, template, { onDemand })]);
  for (const cameraId of [7, 8]) it.system.tell(many, say("x", cameraId));
  await it.settle();
  it.system.tell(many, say("fail", 8));
  await it.settle();
  await it[Symbol.asyncDispose]();
  it.system.startChild(many, "9", undefined);
  it.system.tell(many, say("too late"));
  await it.clock.advance(10_000);
  expect(seen.filter((line) => !line.includes("heard")).toSorted()).toEqual([
    "7 released",
    "7 started",
    ...["8 released", "8 released"],
    ...["8 started", "8 started"],
  ]);
  expect(it.system.snapshot().children).toMatchObject([{ name: "many", state: "stopped", children: [] }]);
  expect(it.dropped).toMatchObject({ "root/many say dead_letter": 1 });
  expect(it.clock.timers()).toBe(0);
});

/** Children by key when their supervisor, its siblings or the system change while they live. */
import { expect, test } from "bun:test";
import { actor, addressOf } from "../../../../runtime/actor.ts";
import { dynamic, stage, supervisor } from "../../../../runtime/tree.ts";
import { aSystem, tolerant } from "../../../support/system.ts";

type Say = { readonly type: "say"; readonly text: string; readonly cameraId?: number };
const many = addressOf<Say>("root/many");
const say = (text: string, cameraId = 7): Say => ({ type: "say", text, cameraId });

type Part = {
  readonly name: string;
  readonly seen: string[];
  /** How long it takes to give back. */
  readonly releases?: () => Promise<void>;
  /** How long it takes to load. */
  readonly loads?: () => Promise<void>;
};

const part = ({ name, seen, releases, loads }: Part) =>
  actor<undefined, null, Say, never, null>({
    name,
    mailbox: { capacity: 8, overflow: "drop-newest" },
    async load() {
      await loads?.();
      return null;
    },
    start() {
      seen.push(`${name} starts`);
      return null;
    },
    on: {
      say(state, { text }, { end }) {
        if (text === "fail") throw new Error("as asked");
        if (text === "end") end();
        seen.push(`${name} heard ${text}`);
        return state;
      },
    },
    async release() {
      await releases?.();
      seen.push(`${name} released`);
    },
  });

/** A promise and what fulfils it. */
const gate = () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { wait: () => promise, open: resolve };
};

test("changes of one key follow one another, and none waits for another key", async () => {
  const seen: string[] = [];
  const slow = gate();
  const template = (key: string, args: string) =>
    stage(part({ name: `${key}-${args}`, seen, ...(args === "one" ? { releases: slow.wait } : {}) }), { args: undefined });
  await using it = await aSystem([dynamic("many", tolerant, template)]);
  it.system.startChild(many, "7", "one");
  await it.settle();
  it.system.startChild(many, "7", "two");
  it.system.stopChild(many, "7");
  it.system.startChild(many, "7", "three");
  it.system.startChild(many, "8", "two");
  await it.settle();
  expect(seen).toEqual(["7-one starts", "8-two starts"]);
  slow.open();
  await it.settle();
  expect(seen.slice(2)).toEqual(["7-one released", "7-two starts", "7-two released", "7-three starts"]);
  expect(it.failures).toEqual([]);
});

test("a child that is stopped while it waits for a restart is not restarted, and its place is free", async () => {
  const seen: string[] = [];
  const template = (key: string) => stage(part({ name: key, seen }), { args: undefined });
  const slow = { restarts: 5, withinMs: 60_000, backoffMs: [3_000, 3_000] } as const;
  await using it = await aSystem([dynamic("many", slow, template)]);
  it.system.startChild(many, "7", undefined);
  await it.settle();
  it.system.tell(many, say("fail"));
  await it.settle();
  it.system.stopChild(many, "7");
  await it.clock.advance(20_000);
  expect(seen).toEqual(["7 starts", "7 released"]);
  expect([it.system.stages(), it.clock.timers()]).toEqual([[], 0]);
});

test("a start that fails after its child was stopped is nobody's failure any more", async () => {
  const seen: string[] = [];
  const start = Promise.withResolvers<void>();
  const template = (key: string) => stage(part({ name: key, seen, loads: () => start.promise }), { args: undefined });
  const it = await aSystem([dynamic("many", tolerant, template)]);
  it.system.startChild(many, "7", undefined);
  await it.settle();
  const stopped = it.system.stop("as asked", 1_000);
  await it.clock.advance(5_000);
  start.reject(new Error("too late"));
  await it.clock.advance(5_000);
  await stopped;
  expect([it.failures, it.decisions, it.fatal]).toEqual([[], [], []]);
});

test("what a temporary child ended for is told, and shown nowhere after", async () => {
  const seen: string[] = [];
  const template = (key: string) => stage(part({ name: key, seen }), { args: undefined, restart: "temporary" });
  await using it = await aSystem([dynamic("many", tolerant, template)]);
  for (const key of ["7", "8"]) it.system.startChild(many, key, undefined);
  await it.settle();
  it.system.tell(many, say("fail"));
  it.system.tell(many, say("end", 8));
  await it.settle();
  expect(it.decisions).toEqual(["ended root/many/7: as asked", "ended root/many/8: ended by itself"]);
  expect(it.system.snapshot().children).toMatchObject([{ name: "many", children: [] }]);
});

test("when its supervisor restarts all, children give back and start again; restarts and looks for idle ones do not double", async () => {
  const seen: string[] = [];
  const template = (key: string) => stage(part({ name: `child-${key}`, seen }), { args: undefined });
  const all = supervisor("all", "one_for_all", tolerant, [
    stage(part({ name: "first", seen }), { args: undefined }),
    dynamic("many", { ...tolerant, backoffMs: [5_000, 5_000] }, template, { onDemand: { entry: null, idleMs: 60_000 } }),
  ]);
  await using it = await aSystem([all]);
  const children = addressOf<Say>("root/all/many");
  for (const cameraId of [7, 8]) it.system.tell(children, say("x", cameraId));
  await it.settle();
  const timers = it.clock.timers();
  it.system.tell(children, say("fail", 8)); // its restart is five seconds away
  await it.settle();
  seen.length = 0;
  it.system.tell(addressOf<Say>("root/all/first"), say("fail"));
  await it.clock.advance(1_000);
  await it.settle();
  expect(seen).toEqual([
    "child-7 released",
    "child-8 released",
    "first released",
    "first starts",
    "child-7 starts",
    "child-8 starts",
  ]);
  expect(it.clock.timers()).toBe(timers);
  await it.clock.advance(20_000);
  expect(seen.length).toBe(6);
  it.system.tell(children, say("y"));
  await it.settle();
  expect(seen.slice(6)).toEqual(["child-7 heard y"]);
});

test("a child of several stages is idle when all of them are, after as long as was said and at most half as long again", async () => {
  const seen: string[] = [];
  const lane = (key: string) =>
    supervisor(`lane-${key}`, "rest_for_one", tolerant, [
      stage(part({ name: "first", seen }), { args: undefined }),
      stage(part({ name: "last", seen }), { args: undefined }),
    ]);
  await using it = await aSystem([dynamic("many", tolerant, lane, { onDemand: { entry: "first", idleMs: 1_000 } })]);
  it.system.tell(many, say("x"));
  await it.settle();
  for (let time = 0; time < 5; time++) {
    await it.clock.advance(600);
    it.system.tell(addressOf<Say>("root/many/lane-7/last"), say("y"));
  }
  expect(it.system.stages().length).toBe(2);
  await it.clock.advance(1_000);
  expect(it.system.stages().length).toBe(2);
  await it.clock.advance(501);
  expect(it.system.stages()).toEqual([]);
});

test("a template that leads back to the supervisor's own address is refused, told by key and with the circle", async () => {
  const template = (key: string) => stage(part({ name: key, seen: [] }), { args: undefined, tells: [addressOf("root/first")] });
  await using it = await aSystem([
    stage(part({ name: "first", seen: [] }), { args: undefined, tells: [many] }),
    dynamic("many", tolerant, template, { onDemand: { entry: null, idleMs: 1_000 } }),
  ]);
  it.system.tell(many, say("x"));
  await it.settle();
  expect(it.failures.length).toBe(1);
  for (const part of ["root/many/7 create: ", "root/many", "root/first"]) expect(it.failures[0]).toContain(part);
  expect(it.dropped).toEqual({ "root/many say dead_letter": 1 });
});

/** Outside code that throws where it should not, never ends, or comes at the wrong moment: one stage pays, the others go on. */
import { expect, test } from "bun:test";
import { type ActorDefinition, actor, addressOf, type Context } from "../../../../runtime/actor.ts";
import type { FramePool, Lease } from "../../../../runtime/frame-pool.ts";
import type { Store } from "../../../../runtime/store.ts";
import { dynamic, stage, supervisor } from "../../../../runtime/tree.ts";
import { aSystem, type TestSystem, tolerant } from "../../../support/system.ts";

type Say = { readonly type: "say"; readonly text: string; readonly cameraId?: number; readonly replyTo?: string };
type Definition = ActorDefinition<undefined, { readonly made: number }, Say>;

const say = (text: string, more: Partial<Say> = {}): Say => ({ type: "say", text, ...more });
const at = (path: string) => addressOf<Say>(path);

const anActor = (
  name: string,
  act: (text: string, ctx: Context<Say>, message: Say) => void,
  more: Partial<Definition> = {},
): Definition =>
  actor<undefined, { readonly made: number }, Say>({
    name,
    mailbox: { capacity: 64, overflow: "drop-oldest" },
    start: () => ({ made: 1 }),
    on: {
      say: (state, message, ctx) => {
        if (message.text === "die") throw new Error("as asked");
        act(message.text, ctx, message);
        return state;
      },
    },
    ...more,
  });
const plain = (definition: Definition) => stage(definition, { args: undefined });
const idle = () => {};

/** Stops, and says whether it ended within `limitMs` of virtual time. */
const endsWithin = async (it: TestSystem, limitMs: number): Promise<boolean> => {
  let isOver = false;
  void it.system.stop("the end", 1_000).then(() => {
    isOver = true;
  });
  for (let passed = 0; passed < limitMs; passed += 500) await it.clock.advance(500);
  return isOver;
};

test("`ready` that throws fails its stage, and the others have their turns", async () => {
  const heard: string[] = [];
  const bad = anActor("bad", idle, {
    ready: () => {
      throw new Error("ready threw");
    },
  });
  await using it = await aSystem([plain(bad), plain(anActor("good", (text) => heard.push(text)))]);
  it.system.tell(at("root/bad"), say("x"));
  it.system.tell(at("root/good"), say("y"));
  await it.settle();
  expect(heard).toEqual(["y"]);
  expect(it.failures[0]).toBe("root/bad ready: ready threw");
});

test("a listener to dead letters that throws does not keep the rest of the turn back", async () => {
  const heard: string[] = [];
  const sender = anActor("sender", (text, { tell, timers }) => {
    heard.push(text);
    if (text !== "go") return;
    tell(at("root/nobody"), say("z"));
    timers.after("later", 5, say("timer"));
  });
  await using it = await aSystem([stage(sender, { args: undefined, tells: [at("root/nobody")] })]);
  it.system.onDeadLetter(() => {
    throw new Error("the listener threw");
  });
  it.system.tell(at("root/sender"), say("go"));
  await it.clock.advance(10);
  expect(heard).toEqual(["go", "timer"]);
  expect(it.failures).toEqual(["root/nobody dead_letter: the listener threw"]);
});

test("a lease handed on outside of a turn is not kept", async () => {
  let held = 0;
  const frames = { retain: () => held++, release: () => held-- } as unknown as FramePool;
  let kept: Context<Say> | undefined;
  const keeper = anActor("a", (_text, ctx) => {
    kept = ctx;
  });
  await using it = await aSystem([stage(keeper, { args: undefined, tells: [at("root/b")] })], { frames });
  it.system.tell(at("root/a"), say("x"));
  await it.settle();
  expect(() => kept?.tell(at("root/b"), say("l"), { slot: 0, generation: 0 } as unknown as Lease)).toThrow("outside of a turn");
  expect(held).toBe(0);
});

test("a turn, or a start, that hands a lease on and then throws keeps none", async () => {
  let held = 0;
  const frames = { retain: () => held++, release: () => held-- } as unknown as FramePool;
  const lease = { slot: 0, generation: 0 } as unknown as Lease;
  let starts = 0;
  const failing = anActor(
    "a",
    (_text, { tell }) => {
      tell(at("root/b"), say("l"), lease);
      throw new Error("after that");
    },
    {
      start: (_args, { tell }) => {
        if (++starts !== 2) return { made: 1 };
        tell(at("root/b"), say("l"), lease);
        throw new Error("after that");
      },
    },
  );
  const heard: string[] = [];
  await using it = await aSystem(
    [plain(anActor("b", (text) => heard.push(text))), stage(failing, { args: undefined, tells: [at("root/b")] })],
    { frames },
  );
  it.system.tell(at("root/a"), say("x"));
  await it.clock.advance(5_000);
  expect([starts, held, heard]).toEqual([3, 0, []]);
});

test("children are started and stopped as the turn that asks for it returns, and not by one that throws", async () => {
  const many = { path: "root/many" };
  const parent = anActor("parent", (text, ctx) => {
    if (text === "stop") ctx.stopChild(many, "7");
    else ctx.startChild(many, text === "fail" ? "8" : "7", undefined);
    if (text === "fail") throw new Error("after that");
  });
  await using it = await aSystem([dynamic("many", tolerant, (key) => plain(anActor(`c-${key}`, idle))), plain(parent)]);
  const children = async (text: string) => {
    it.system.tell(at("root/parent"), say(text));
    await it.clock.advance(5_000);
    await it.settle();
    return it.system.stages().filter((path) => path !== "root/parent");
  };
  expect(await children("start")).toEqual(["root/many/c-7"]);
  expect(await children("fail")).toEqual(["root/many/c-7"]);
  expect(await children("stop")).toEqual([]);
});

test("an answer that cannot be read fails the question alone", async () => {
  const heard: string[] = [];
  const oracle = anActor("oracle", (_text, { reply }, { replyTo = "" }) => reply(at(replyTo), say("x".repeat(3_000_000))));
  await using it = await aSystem([plain(oracle), plain(anActor("good", (text) => heard.push(text)))]);
  let refused = "";
  it.system
    .ask(at("root/oracle"), (replyTo) => say("ask", { replyTo: replyTo.path }), 1_000)
    .catch((thrown: Error) => {
      refused = thrown.message;
    });
  it.system.tell(at("root/good"), say("y"));
  await it.settle();
  expect(refused).toContain("its answer cannot be read");
  expect(heard).toEqual(["y"]);
});

test("a release that never ends at a restart is said, and holds neither its siblings' restarts nor the end up", async () => {
  const stuck = anActor("stuck", idle, { release: () => new Promise(() => {}) });
  const it = await aSystem([plain(stuck), plain(anActor("other", idle))]);
  it.system.tell(at("root/stuck"), say("die"));
  await it.clock.advance(30_000);
  it.system.tell(at("root/other"), say("die"));
  await it.clock.advance(30_000);
  expect(it.system.snapshot().children.map(({ state, restarts }) => `${state} ${restarts}`)).toEqual(["running 1", "running 1"]);
  expect(it.failures).toContain("root/stuck release: not given back within 2000 ms");
  expect(await endsWithin(it, 20_000)).toBe(true);
});

test("a load that never ends holds the end up no longer than the drain", async () => {
  let starts = 0;
  const loading = anActor("loading", idle, {
    load: () => (starts++ === 0 ? Promise.resolve(undefined) : new Promise(() => {})),
  });
  const it = await aSystem([plain(loading)]);
  it.system.tell(at("root/loading"), say("die"));
  await it.clock.advance(5_000);
  expect(starts).toBe(2);
  expect(await endsWithin(it, 20_000)).toBe(true);
});

test("a store that is away is not asked again after the end", async () => {
  let puts = 0;
  const store = {
    put: () => {
      puts++;
      return Promise.reject(new Error("away"));
    },
  } as unknown as Store;
  const saving = anActor("a", (_text, { save }) => save({ key: "k", bytes: new Uint8Array(1), ttlMs: 1_000 }));
  const it = await aSystem([plain(saving)], { store });
  it.system.tell(at("root/a"), say("x"));
  expect(await endsWithin(it, 20_000)).toBe(true);
  const before = puts;
  await it.clock.advance(60_000);
  expect(puts).toBe(before);
});

/** How many incarnations were made and given back. */
const counted = (name: string, lives: { starts: number; releases: number }, release = () => Promise.resolve()): Definition =>
  anActor(name, idle, {
    start: () => ({ made: ++lives.starts }),
    release: () => {
      lives.releases++;
      return release();
    },
  });

test("an outer restart waits for an inner one: no incarnation is left behind", async () => {
  const lives = { starts: 0, releases: 0 };
  let slowly = () => Promise.resolve();
  const it = await aSystem([
    supervisor("outer", "rest_for_one", tolerant, [
      plain(anActor("first", idle)),
      supervisor("inner", "one_for_one", tolerant, [plain(counted("leaf", lives, () => slowly()))]),
    ]),
  ]);
  slowly = () => new Promise((resolve) => it.clock.after(500, resolve));
  it.system.tell(at("root/outer/inner/leaf"), say("die"));
  await it.clock.advance(100);
  it.system.tell(at("root/outer/first"), say("die"));
  await it.clock.advance(10_000);
  expect(lives.starts - lives.releases).toBe(1);
  expect(await endsWithin(it, 20_000)).toBe(true);
  expect(lives.releases).toBe(lives.starts);
});

test("two that fail together under one_for_all restart all once", async () => {
  const lives = { starts: 0, releases: 0 };
  await using it = await aSystem([
    supervisor("s", "one_for_all", tolerant, [plain(anActor("a", idle)), plain(anActor("b", idle)), plain(counted("c", lives))]),
  ]);
  for (const name of ["a", "b"]) it.system.tell(at(`root/s/${name}`), say("die"));
  await it.clock.advance(30_000);
  expect(lives).toEqual({ starts: 2, releases: 1 });
});

test("many that fail together escalate once", async () => {
  const names = ["a", "b", "c", "d"];
  const none = { restarts: 0, withinMs: 60_000, backoffMs: [10, 20] } as const;
  await using it = await aSystem([
    supervisor(
      "s",
      "one_for_one",
      none,
      names.map((name) => plain(anActor(name, idle))),
    ),
  ]);
  for (const name of names) it.system.tell(at(`root/s/${name}`), say("die"));
  await it.clock.advance(30_000);
  await it.settle();
  expect(it.system.snapshot().children[0]).toMatchObject({ state: "running", restarts: 1, restartsLeft: 19 });
});

test("a temporary child that cannot start is not tried again", async () => {
  let starts = 0;
  const refusing = anActor("k", idle, {
    start: () => {
      starts++;
      throw new Error("no");
    },
  });
  await using it = await aSystem([dynamic("d", tolerant, () => stage(refusing, { args: undefined, restart: "temporary" }))]);
  it.system.startChild({ path: "root/d" }, "k", undefined);
  await it.clock.advance(60_000);
  expect(starts).toBe(1);
  expect(it.fatal).toEqual([]);
});

test("a child that is started while a message makes it runs once, and no other is left behind", async () => {
  const lives = { starts: 0, releases: 0 };
  const children = dynamic("d", tolerant, () => plain(counted("e", lives)), { onDemand: { entry: null, idleMs: 1e7 } });
  const it = await aSystem([children]);
  it.system.startChild({ path: "root/d" }, "7", undefined);
  it.system.tell(at("root/d"), say("hello", { cameraId: 7 }));
  await it.clock.advance(5_000);
  expect(lives.starts - lives.releases).toBe(1);
  expect(it.system.stages()).toEqual(["root/d/e"]);
  expect(await endsWithin(it, 20_000)).toBe(true);
  expect(lives.releases).toBe(lives.starts);
});

test("a child made while the system drains, and still loading at its end, never runs", async () => {
  const lives = { starts: 0, releases: 0 };
  let it: TestSystem | null = null;
  const wait = (ms: number) => new Promise<undefined>((resolve) => it?.clock.after(ms, () => resolve(undefined)));
  const busy = anActor("busy", (text, { pipe }) => {
    if (text === "go")
      pipe(
        () => wait(100),
        () => say("done"),
        () => say("failed"),
      );
  });
  const slow = { ...counted("e", lives), load: () => wait(3_000) };
  it = await aSystem([dynamic("d", tolerant, () => plain(slow), { onDemand: { entry: null, idleMs: 1e7 } }), plain(busy)]);
  it.system.tell(at("root/busy"), say("go"));
  await it.settle();
  const stopped = it.system.stop("the end", 500);
  await it.clock.advance(50);
  it.system.tell(at("root/d"), say("late", { cameraId: 7 }));
  for (let steps = 0; steps < 10; steps++) await it.clock.advance(500);
  await stopped;
  expect(lives).toEqual({ starts: 0, releases: 0 });
});

test("a child asked for while the system drains is not started", async () => {
  const lives = { starts: 0, releases: 0 };
  const work = Promise.withResolvers<undefined>();
  const busy = anActor("busy", (text, { pipe }) => {
    if (text !== "go") return;
    pipe(
      () => work.promise,
      () => say("done"),
      () => say("failed"),
    );
  });
  const it = await aSystem([dynamic("d", tolerant, () => plain(counted("e", lives))), plain(busy)]);
  it.system.tell(at("root/busy"), say("go"));
  await it.settle();
  const stopped = it.system.stop("the end", 5_000);
  await it.clock.advance(100);
  it.system.startChild({ path: "root/d" }, "7", undefined);
  await it.clock.advance(100);
  expect([it.phases, lives.starts]).toEqual([["intake"], 0]);
  work.resolve(undefined);
  await it.clock.advance(1_000);
  await stopped;
});

test("a circle is refused however often it is tried, and nothing waits behind it", async () => {
  const heard: string[] = [];
  const back = anActor("e", (text) => heard.push(text));
  await using it = await aSystem([
    stage(anActor("a", idle), { args: undefined, tells: [at("root/d")] }),
    dynamic("d", tolerant, () => stage(back, { args: undefined, tells: [at("root/a")] }), {
      onDemand: { entry: null, idleMs: 1e6 },
    }),
  ]);
  it.system.startChild({ path: "root/d" }, "7", undefined);
  for (let count = 0; count < 3; count++) {
    await it.settle();
    it.system.tell(at("root/d"), say("m", { cameraId: 7 }));
  }
  await it.settle();
  expect(heard).toEqual([]);
  expect(it.system.stages()).toEqual(["root/a"]);
  expect(it.dropped).toEqual({ "root/d say dead_letter": 3 });
});

import { expect, test } from "bun:test";
import { type Address, actor, addressOf, type Context } from "../../../runtime/actor.ts";
import { dynamic, stage, supervisor } from "../../../runtime/tree.ts";
import { aSystem, tolerant } from "../../support/system.ts";

type Say = { readonly type: "say"; readonly text: string; readonly cameraId?: number };

/** An actor that writes down what it hears, and does what the text asks for. */
const scribe = (heard: string[], act: (text: string, ctx: Context<Say>) => void = () => {}) =>
  actor<undefined, { count: number }, Say>({
    name: "scribe",
    mailbox: { capacity: 8, overflow: "drop-oldest" },
    start: () => ({ count: 0 }),
    on: {
      say: ({ count }, { text }, ctx) => {
        act(text, ctx);
        heard.push(`${text}#${count}`);
        return { count: count + 1 };
      },
    },
  });
const scribeAt: Address<Say> = addressOf("root/scribe");
const say = (text: string): Say => ({ type: "say", text });

test("messages are taken one at a time, in order, and state is carried on", async () => {
  const heard: string[] = [];
  await using it = await aSystem([stage(scribe(heard), { args: undefined })]);
  for (const text of ["a", "b", "c"]) it.system.tell(scribeAt, say(text));
  await it.settle();
  expect(heard).toEqual(["a#0", "b#1", "c#2"]);
});

test("a turn that throws has done nothing: no tell, no timer, no state; the next message finds a new incarnation", async () => {
  const heard: string[] = [];
  const act = (text: string, ctx: Context<Say>) => {
    if (text !== "fail") return;
    ctx.tell(addressOf<Say>("root/other"), say("told"));
    ctx.timers.after("later", 10, say("timer"));
    throw new Error("as asked");
  };
  await using it = await aSystem([stage(scribe(heard, act), { args: undefined, tells: [addressOf("root/other")] })]);
  for (const text of ["a", "fail", "b"]) it.system.tell(scribeAt, say(text));
  await it.clock.advance(5_000);
  expect(heard).toEqual(["a#0", "b#0"]);
  expect(it.dropped).toEqual({}); // what was told to nobody would be a dead letter
  expect(it.system.snapshot().children[0]).toMatchObject({ restarts: 1, lastError: "as asked", state: "running" });
});

test("setting a timer again replaces it, and cancelling ends it", async () => {
  const heard: string[] = [];
  const act = (text: string, ctx: Context<Say>) => {
    if (text === "set") ctx.timers.after("t", 100, say("first"));
    if (text === "again") ctx.timers.after("t", 100, say("second"));
    if (text === "cancel") ctx.timers.cancel("t");
  };
  await using it = await aSystem([stage(scribe(heard, act), { args: undefined })]);
  it.system.tell(scribeAt, say("set"));
  await it.clock.advance(50);
  it.system.tell(scribeAt, say("again"));
  await it.clock.advance(99);
  expect(heard).toEqual(["set#0", "again#1"]);
  await it.clock.advance(1);
  expect(heard.at(-1)).toBe("second#2");
  it.system.tell(scribeAt, say("set"));
  it.system.tell(scribeAt, say("cancel"));
  await it.clock.advance(1_000);
  expect(heard.slice(3)).toEqual(["set#3", "cancel#4"]);
});

test("the outcome of a pipe is a message; after a restart it is nobody's", async () => {
  const heard: string[] = [];
  const waiting: ((text: string) => void)[] = [];
  const act = (text: string, ctx: Context<Say>) => {
    if (text === "ask")
      ctx.pipe(
        () => new Promise<string>((resolve) => waiting.push(resolve)),
        say,
        () => say("failed"),
      );
    if (text === "fail") throw new Error("as asked");
  };
  await using it = await aSystem([stage(scribe(heard, act), { args: undefined })]);
  it.system.tell(scribeAt, say("ask"));
  await it.settle();
  waiting.shift()?.("answer");
  await it.settle();
  expect(heard).toEqual(["ask#0", "answer#1"]);

  it.system.tell(scribeAt, say("ask"));
  it.system.tell(scribeAt, say("fail"));
  await it.clock.advance(5_000);
  waiting.shift()?.("too late");
  await it.settle();
  expect(heard).toEqual(["ask#0", "answer#1", "ask#2"]);
});

test("a pipe is not started by a turn that throws, is aborted when its incarnation ends, and a synchronous throw is its failure", async () => {
  const heard: string[] = [];
  const signals: AbortSignal[] = [];
  const act = (text: string, ctx: Context<Say>) => {
    const wait = (signal: AbortSignal) => new Promise<string>(() => signals.push(signal));
    if (text === "ask" || text === "ask-fail") ctx.pipe(wait, say, () => say("failed"));
    if (text === "throwing") {
      ctx.pipe(
        (): Promise<string> => {
          throw new Error("at once");
        },
        say,
        (reason) => say(`failed: ${reason instanceof Error ? reason.message : ""}`),
      );
    }
    if (text.endsWith("fail")) throw new Error("as asked");
  };
  await using it = await aSystem([stage(scribe(heard, act), { args: undefined })]);
  it.system.tell(scribeAt, say("throwing"));
  await it.settle();
  expect(heard).toEqual(["throwing#0", "failed: at once#1"]);
  it.system.tell(scribeAt, say("ask"));
  it.system.tell(scribeAt, say("ask-fail"));
  await it.clock.advance(5_000);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
});

test("a full mailbox lets go by its policy, and each loss is counted", async () => {
  const heard: string[] = [];
  await using it = await aSystem([stage(scribe(heard), { args: undefined })]);
  for (let count = 0; count < 20; count++) it.system.tell(scribeAt, say(`${count}`));
  await it.settle();
  expect(heard.length).toBe(8);
  expect(it.dropped).toEqual({ "root/scribe say overflow": 12 });
  expect(it.system.snapshot().children[0]?.mailbox?.dropped).toBe(12);
});

test("a message for nobody is a dead letter", async () => {
  await using it = await aSystem([stage(scribe([]), { args: undefined })]);
  it.system.tell(addressOf<Say>("root/nobody"), say("hello"));
  expect(it.dropped).toEqual({ "root/nobody say dead_letter": 1 });
});

test("a sender takes no turn while its target is above high water", async () => {
  let allowed = 0;
  const slow = actor<undefined, number, Say | { readonly type: "tick" }>({
    name: "slow",
    mailbox: { capacity: 10, overflow: "pause-source" },
    start: () => 0,
    ready: (count) => count < allowed,
    on: { say: (count) => count + 1, tick: (count) => count },
  });
  let turns = 0;
  const eager = actor<undefined, null, Say>({
    name: "eager",
    mailbox: { capacity: 1_000, overflow: "pause-source" },
    start: () => null,
    on: {
      say: (_state, message, ctx) => {
        turns++;
        ctx.tell(addressOf<Say>("root/slow"), message);
        return null;
      },
    },
  });
  await using it = await aSystem([
    stage(slow, { args: undefined }),
    stage(eager, { args: undefined, tells: [addressOf("root/slow")] }),
  ]);
  for (let count = 0; count < 100; count++) it.system.tell(addressOf<Say>("root/eager"), say("x"));
  await it.settle();
  expect(turns).toBe(8); // 80 % of 10
  allowed = 100;
  it.system.tell(addressOf<{ readonly type: "tick" }>("root/slow"), { type: "tick" });
  await it.settle();
  expect(turns).toBe(100);
});

test("a keyed stage has one actor a key, made on demand, and ended when idle", async () => {
  const heard: string[] = [];
  const lanes = dynamic(
    "lanes",
    tolerant,
    (key) =>
      stage(
        scribe(heard, (_text, ctx) => heard.push(ctx.key)),
        { name: `lane-${key}`, args: undefined },
      ),
    { onDemand: { entry: null, idleMs: 1_000 } },
  );
  await using it = await aSystem([lanes]);
  const at = addressOf<Say>("root/lanes");
  it.system.tell(at, { ...say("a"), cameraId: 7 });
  it.system.tell(at, { ...say("b"), cameraId: 8 });
  it.system.tell(at, { ...say("c"), cameraId: 7 });
  await it.settle();
  expect(heard.sort()).toEqual(["7", "7", "8", "a#0", "b#0", "c#1"]);
  expect([...it.system.stages()].sort()).toEqual(["root/lanes/lane-7", "root/lanes/lane-8"]);
  await it.clock.advance(3_000);
  expect(it.system.stages()).toEqual([]);
});

test("release is called once for each incarnation, at a restart as at the end", async () => {
  const released: number[] = [];
  let incarnations = 0;
  const holder = actor<undefined, number, Say>({
    name: "scribe",
    mailbox: { capacity: 8, overflow: "drop-oldest" },
    start: () => ++incarnations,
    on: {
      say: () => {
        throw new Error("as asked");
      },
    },
    release: (incarnation) => void released.push(incarnation),
  });
  const it = await aSystem([stage(holder, { args: undefined })]);
  it.system.tell(scribeAt, say("x"));
  await it.clock.advance(5_000);
  expect(released).toEqual([1]);
  await it[Symbol.asyncDispose]();
  expect(released).toEqual([1, 2]);
});

test.each([
  ["one_for_one", ["b"]],
  ["rest_for_one", ["b", "c"]],
  ["one_for_all", ["a", "b", "c"]],
] as const)("%s restarts %p when b of a, b, c fails", async (strategy, restarted) => {
  const started: string[] = [];
  const named = (name: string) =>
    stage(
      actor<undefined, null, Say>({
        name,
        mailbox: { capacity: 8, overflow: "drop-oldest" },
        start: () => {
          started.push(name);
          return null;
        },
        on: { say: (state) => state },
      }),
      { args: undefined },
    );
  await using it = await aSystem([supervisor("s", strategy, tolerant, ["a", "b", "c"].map(named))]);
  started.length = 0;
  it.system.fail("root/s/b", "drill");
  await it.clock.advance(5_000);
  expect(started).toEqual([...restarted]);
});

test("over its tolerance a supervisor escalates, and at the root the process ends", async () => {
  const heard: string[] = [];
  const act = (text: string) => {
    if (text === "fail") throw new Error("as asked");
  };
  await using it = await aSystem([
    supervisor("s", "one_for_one", { restarts: 2, withinMs: 60_000, backoffMs: [1, 1] }, [
      stage(scribe(heard, act), { args: undefined }),
    ]),
  ]);
  const at = addressOf<Say>("root/s/scribe");
  for (let failures = 0; failures < 3; failures++) {
    it.system.tell(at, say("fail"));
    await it.clock.advance(1_000);
  }
  it.system.tell(at, say("alive"));
  await it.clock.advance(1_000);
  expect(heard).toEqual(["alive#0"]);
  expect(it.fatal).toEqual([]);
  for (let failures = 0; failures < 100; failures++) {
    it.system.tell(at, say("fail"));
    await it.clock.advance(500);
  }
  expect(it.fatal.length).toBeGreaterThan(0);
});

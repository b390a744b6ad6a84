/** One actor from its start to its end: frames, failures, loading, silence, and what becomes of what comes too late. */
import { expect, test } from "bun:test";
import { type ActorDefinition, actor, addressOf, type Context } from "../../../../runtime/actor.ts";
import type { FramePool, Lease } from "../../../../runtime/frame-pool.ts";
import type { DeadLetter } from "../../../../runtime/system.ts";
import { stage } from "../../../../runtime/tree.ts";
import { aSystem } from "../../../support/system.ts";
import { thrownBy } from "../../../support/thrown.ts";

type Say = { readonly type: "say"; readonly text: string };
type Definition = ActorDefinition<undefined, string, Say>;
const at = addressOf<Say>("root/a");
const say = (text: string): Say => ({ type: "say", text });
const lease = { slot: 1, generation: 1 } as unknown as Lease; // a token here, never looked into

/** Writes down what it hears; `fail` fails its turn. `act` may do more. */
const hearing = (heard: string[], rest: Partial<Definition> = {}, act: (text: string, ctx: Context<Say>) => void = () => {}) =>
  actor<undefined, string, Say>({
    name: "a",
    mailbox: { capacity: 4, overflow: "drop-newest" },
    start: () => "state",
    on: {
      say: (state, { text }, ctx) => {
        act(text, ctx);
        if (text === "fail") throw new Error("as asked");
        heard.push(text);
        return state;
      },
    },
    ...rest,
  });

const holds = () => {
  const counts = { retained: 0, released: 0 };
  const frames = { retain: () => void counts.retained++, release: () => void counts.released++ } as unknown as FramePool;
  return { counts, frames };
};

test.each([
  ["taken", ["x"], 1],
  ["taken by a turn that throws", ["fail"], 1],
  ["let go because the mailbox is full", ["1", "2", "3", "4", "5"], 5],
])("the frame of a message is given back, once, when the message is %s", async (_what, texts, released) => {
  const { counts, frames } = holds();
  await using it = await aSystem([stage(hearing([]), { args: undefined })], { frames });
  for (const text of texts) it.system.tell(at, say(text), lease);
  it.system.tell(addressOf<Say>("root/a"), say("without"));
  await it.clock.advance(5_000);
  expect(counts).toEqual({ retained: 0, released });
});

test("an actor that hears nothing for long is told so, as often as that lasts, but not an earlier incarnation of it", async () => {
  const heard: string[] = [];
  const idle = { afterMs: 1_000, message: say("silence") };
  await using it = await aSystem([stage(hearing(heard, { idle }), { args: undefined })]);
  await it.clock.advance(900);
  it.system.tell(at, say("x"));
  await it.clock.advance(999);
  expect(heard).toEqual(["x"]);
  await it.clock.advance(1);
  expect(heard).toEqual(["x", "silence"]);
  await it.clock.advance(1_000);
  expect(heard).toEqual(["x", "silence", "silence"]);
  it.system.fail("root/a", "drill");
  await it.clock.advance(500);
  it.system.tell(at, say("y"));
  await it.clock.advance(1_000);
  expect(heard.slice(3)).toEqual(["y", "silence"]);
});

test("what is loaded is there before the first message; a message that comes meanwhile waits", async () => {
  const heard: string[] = [];
  const loads: PromiseWithResolvers<string>[] = [];
  const loading = actor<undefined, string, Say, never, string>({
    ...hearing(heard),
    load: () => {
      const load = Promise.withResolvers<string>();
      loads.push(load);
      return loads.length === 1 ? Promise.resolve("first") : load.promise;
    },
    start: (_args, _ctx, loaded) => {
      heard.push(`loaded ${loaded}`);
      return loaded;
    },
  });
  await using it = await aSystem([stage(loading, { args: undefined })]);
  it.system.fail("root/a", "drill");
  await it.clock.advance(1_000);
  it.system.tell(at, say("x"));
  await it.settle();
  expect([heard, it.system.snapshot().children[0]?.state]).toEqual([["loaded first"], "starting"]);
  loads[1]?.resolve("second");
  await it.settle();
  expect(heard).toEqual(["loaded first", "loaded second", "x"]);
});

test("an actor whose start throws is tried again, and has asked for nothing", async () => {
  const heard: string[] = [];
  let starts = 0;
  const late = hearing(heard, {
    start: (_args, ctx) => {
      starts++;
      if (starts > 1 && starts < 4) {
        ctx.timers.after("t", 1, say(`timer of start ${starts}`));
        throw new Error(`start ${starts}`);
      }
      ctx.timers.after("t", 1, say(`timer of start ${starts}`));
      return "state";
    },
  });
  await using it = await aSystem([stage(late, { args: undefined })]);
  await it.clock.advance(10);
  it.system.fail("root/a", "drill");
  await it.clock.advance(10_000);
  expect(heard).toEqual(["timer of start 1", "timer of start 4"]);
  expect(it.failures).toEqual(["root/a drill: drill", "root/a start: start 2", "root/a start: start 3"]);
  expect(it.decisions).toEqual(["restarted root/a 1"]);
});

test("an actor that cannot give back what it holds is told of, and starts again all the same", async () => {
  const heard: string[] = [];
  const holder = hearing(heard, {
    release: () => {
      throw new Error("it is stuck");
    },
  });
  await using it = await aSystem([stage(holder, { args: undefined })]);
  it.system.fail("root/a", "drill");
  await it.clock.advance(1_000);
  it.system.tell(at, say("x"));
  await it.settle();
  expect([heard, it.failures]).toEqual([["x"], ["root/a drill: drill", "root/a release: it is stuck"]]);
});

test("a message that the actor has no handler for fails its turn by name", async () => {
  await using it = await aSystem([stage(hearing([]), { args: undefined })]);
  it.system.tell(addressOf<{ readonly type: "sing" }>("root/a"), { type: "sing" });
  await it.settle();
  expect(it.failures).toEqual(["root/a sing: root/a has no handler for sing"]);
});

test("a pipe whose outcome cannot be made a message fails its actor", async () => {
  const heard: string[] = [];
  const act = (text: string, { pipe }: Context<Say>) => {
    if (text !== "ask") return;
    pipe(
      async () => 5,
      () => {
        throw new Error("no message");
      },
      () => say("failed"),
    );
  };
  await using it = await aSystem([stage(hearing(heard, {}, act), { args: undefined })]);
  it.system.tell(at, say("ask"));
  await it.clock.advance(5_000);
  it.system.tell(at, say("x"));
  await it.settle();
  expect([heard, it.failures]).toEqual([["ask", "x"], ["root/a outcome: no message"]]);
});

test("code outside of the actor delivers to its own incarnation, from the start on, and to no later one", async () => {
  const { counts, frames } = holds();
  const heard: string[] = [];
  const delivers: ((text: string, lease?: Lease) => boolean)[] = [];
  const source = hearing(heard, {
    start: (_args, ctx) => {
      delivers.push((text, given) => ctx.deliver(say(text), given));
      heard.push(`at once: ${ctx.deliver(say("from start"))}`);
      return "state";
    },
  });
  const it = await aSystem([stage(source, { args: undefined })], { frames });
  await it.settle();
  expect(delivers[0]?.("x", lease)).toBe(true);
  await it.settle();
  expect([heard, counts.released]).toEqual([["at once: true", "from start", "x"], 1]);
  it.system.fail("root/a", "drill");
  expect(delivers[0]?.("while it is down", lease)).toBe(false);
  await it.clock.advance(1_000);
  expect(delivers[0]?.("from a former one")).toBe(false);
  expect(delivers[1]?.("from this one")).toBe(true);
  await it[Symbol.asyncDispose]();
  expect(delivers[1]?.("at the end", lease)).toBe(false);
  expect(heard.slice(3)).toEqual(["at once: true", "from start", "from this one"]);
  expect(counts.released).toBe(3);
});

test("what waits for an actor at its end becomes dead letters, with the reason", async () => {
  const { counts, frames } = holds();
  const letters: DeadLetter[] = [];
  const it = await aSystem([stage(hearing([], { ready: () => false }), { args: undefined })], { frames });
  it.system.onDeadLetter((letter) => letters.push(letter));
  it.system.tell(at, say("x"), lease);
  await it[Symbol.asyncDispose]();
  it.system.tell(at, say("y"));
  expect(letters.map(({ to, why }) => `${to}: ${why}`)).toEqual(["root/a: it has stopped", "root/a: there is no such stage"]);
  expect(counts.released).toBe(1);
});

test("how full a mailbox is, and how long its oldest message waits, can be seen", async () => {
  let isReady = false;
  await using it = await aSystem([stage(hearing([], { ready: () => isReady }), { args: undefined })]);
  const seen = () => it.system.snapshot().children[0]?.mailbox;
  expect(seen()).toEqual({ depth: 0, bytes: 0, oldestMs: 0, dropped: 0 });
  it.system.tell(at, say("x"));
  await it.clock.advance(250);
  it.system.tell(at, say("x"));
  const [one] = [seen()?.bytes ?? 0];
  await it.clock.advance(250);
  expect(seen()).toEqual({ depth: 2, bytes: one, oldestMs: 500, dropped: 0 });
  expect(one).toBeGreaterThan(5);
  isReady = true;
});

test("a stage that cannot start at all is refused, and what did start gives back what it holds", async () => {
  const released: string[] = [];
  const good = hearing([], { release: () => void released.push("good") });
  const bad = hearing([], {
    start: () => {
      throw new Error("never");
    },
  });
  const thrown = await thrownBy(aSystem([stage(good, { args: undefined }), stage(bad, { name: "b", args: undefined })]));
  expect([thrown, released]).toMatchObject([{ message: "never" }, ["good"]]);
});

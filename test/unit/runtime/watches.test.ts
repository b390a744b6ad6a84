import { expect, test } from "bun:test";
import { actor, addressOf } from "../../../runtime/actor.ts";
import { dynamic, stage, supervisor } from "../../../runtime/tree.ts";
import { aSystem, tolerant } from "../../support/system.ts";

type Heard = { readonly type: "watch" | "unwatch" | "gone" | "fail"; readonly cameraId?: number };
const target = addressOf<Heard>("root/target");
const watcherAt = addressOf<Heard>("root/watcher");

const watcherOf = (heard: string[], of = target) =>
  actor<undefined, null, Heard>({
    name: "watcher",
    mailbox: { capacity: 8, overflow: "drop-newest" },
    start: () => null,
    on: {
      watch: (state, _message, ctx) => {
        ctx.watch(of, { type: "gone" });
        return state;
      },
      unwatch: (state, _message, ctx) => {
        ctx.unwatch(of);
        return state;
      },
      gone: (state) => {
        heard.push("gone");
        return state;
      },
      fail: () => {
        throw new Error("as asked");
      },
    },
  });

const watched = actor<undefined, null, Heard>({
  name: "target",
  mailbox: { capacity: 8, overflow: "drop-newest" },
  start: () => null,
  on: {
    watch: (state) => state,
    unwatch: (state) => state,
    gone: (state, _message, ctx) => {
      ctx.end();
      return state;
    },
    fail: () => {
      throw new Error("as asked");
    },
  },
});

const both = async (heard: string[]) =>
  aSystem([stage(watched, { args: undefined, restart: "transient" }), stage(watcherOf(heard), { args: undefined })]);

test("a watcher hears once that an incarnation failed, not of the next one", async () => {
  const heard: string[] = [];
  await using it = await both(heard);
  it.system.tell(watcherAt, { type: "watch" });
  await it.settle();
  expect(heard).toEqual([]);
  it.system.fail("root/target", "drill");
  await it.settle();
  expect(heard).toEqual(["gone"]);
  await it.clock.advance(5_000);
  it.system.fail("root/target", "drill");
  await it.clock.advance(5_000);
  expect(heard).toEqual(["gone"]);
});

test("it hears of an orderly end too", async () => {
  const heard: string[] = [];
  await using it = await both(heard);
  it.system.tell(watcherAt, { type: "watch" });
  await it.settle();
  it.system.tell(target, { type: "gone" });
  await it.settle();
  expect(heard).toEqual(["gone"]);
});

test("it hears at once where nothing runs", async () => {
  const heard: string[] = [];
  await using it = await aSystem([stage(watcherOf(heard, addressOf("root/nobody")), { args: undefined })]);
  it.system.tell(watcherAt, { type: "watch" });
  await it.settle();
  expect(heard).toEqual(["gone"]);
});

test.each([
  ["it no longer watches", "unwatch"],
  ["its own incarnation is over", "fail"],
] as const)("it hears nothing when %s", async (_name, type) => {
  const heard: string[] = [];
  await using it = await both(heard);
  it.system.tell(watcherAt, { type: "watch" });
  it.system.tell(watcherAt, { type });
  await it.clock.advance(5_000);
  it.system.fail("root/target", "drill");
  await it.clock.advance(5_000);
  expect(heard).toEqual([]);
});

test("a child that a keyed stage ends is heard of", async () => {
  const heard: string[] = [];
  const child = addressOf<Heard>("root/many/child-7");
  await using it = await aSystem([
    dynamic("many", tolerant, (key) => stage(watched, { name: `child-${key}`, args: undefined })),
    stage(watcherOf(heard, child), { args: undefined }),
  ]);
  const many = { path: "root/many" };
  it.system.startChild(many, "7", undefined);
  await it.settle();
  it.system.tell(watcherAt, { type: "watch" });
  await it.settle();
  it.system.stopChild(many, "7");
  await it.clock.advance(100);
  expect(heard).toEqual(["gone"]);
});

test("an actor that is restarted for its sibling's sake is heard of, once", async () => {
  const heard: string[] = [];
  const within = addressOf<Heard>("root/s/target");
  await using it = await aSystem([
    supervisor("s", "one_for_all", tolerant, [
      stage(watched, { args: undefined }),
      stage(watched, { name: "sibling", args: undefined }),
    ]),
    stage(watcherOf(heard, within), { args: undefined }),
  ]);
  it.system.tell(watcherAt, { type: "watch" });
  await it.settle();
  it.system.fail("root/s/sibling", "drill");
  await it.clock.advance(5_000);
  expect(heard).toEqual(["gone"]);
  it.system.tell(watcherAt, { type: "watch" });
  await it.settle();
  expect(heard).toEqual(["gone"]);
});
